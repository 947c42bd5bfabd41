"""The tests' HTTP service: POST /naps enqueues one, answers with its id, and takes its time. `python -m front PORT`."""

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

from naps import nothing


class Front(BaseHTTPRequestHandler):
    """One request at a time, so that a burst of them has to wait."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self._answer(200, {})

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(0.03)
        self._answer(202, {"job_id": nothing.delay().id})

    def _answer(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    HTTPServer(("127.0.0.1", int(sys.argv[1])), Front).serve_forever()
