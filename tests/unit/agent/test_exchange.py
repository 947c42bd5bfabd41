"""One HTTP exchange after another over one kept connection, as long as nobody may be about to close it."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from jobharness.agent.exchange import IDLE_S, Exchange


class Service(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        self.server.connections += 1

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def service():
    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        server.daemon_threads, server.connections = True, 0
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.parametrize(("idle_s", "connections"), [(0.0, 1), (IDLE_S + 0.1, 2)])
def test_connection_that_was_idle_for_long_is_not_used_again(service, idle_s, connections):
    exchange = Exchange(5.0)
    request = {"url": f"http://127.0.0.1:{service.server_address[1]}/orders", "body": {}}
    assert exchange.send(request) == (200, {})
    exchange.used -= idle_s
    assert exchange.send(request) == (200, {})
    exchange.drop()
    assert service.connections == connections
