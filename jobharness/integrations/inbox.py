"""A small HTTP server on a loopback port that takes what is posted to it: error reports, notifications of alarms."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, SimpleQueue
from typing import NamedTuple

__all__ = ["Inbox", "Post"]

MOST_BYTES = 20 * 2**20


class Post(NamedTuple):
    """One request: its path, its headers by lower-case name, its body as it came."""

    path: str
    headers: dict[str, str]
    body: bytes


class Inbox:
    """Answers every POST with `answer` (JSON), and keeps it until it is taken. Listens from the start, on a free port."""

    def __init__(self, answer: bytes = b"{}") -> None:
        posts: SimpleQueue[Post] = SimpleQueue()
        self._posts = posts

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                posts.put(Post(self.path, {name.lower(): value for name, value in self.headers.items()}, self._body()))
                self._say(200)

            def do_GET(self) -> None:
                self._say(200)

            def _body(self) -> bytes:
                if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
                    pieces = []
                    while size := int(self.rfile.readline().split(b";")[0], 16):
                        pieces.append(self.rfile.read(size))
                        self.rfile.readline()
                    self.rfile.readline()
                    return b"".join(pieces)
                return self.rfile.read(min(int(self.headers.get("Content-Length") or 0), MOST_BYTES))

            def _say(self, status: int) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *args: object) -> None:
                """Nothing: the history says what came."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def take(self) -> list[Post]:
        """What came since the last time, in the order of arrival."""
        taken = []
        while True:
            try:
                taken.append(self._posts.get_nowait())
            except Empty:
                return taken

    def close(self) -> None:
        """Stop listening. Safe to call twice."""
        self._server.shutdown()
        self._server.server_close()
