"""One HTTP exchange after another with the app's own service, over one kept connection."""

import http.client
import json
import socket
import urllib.parse
from time import monotonic

__all__ = ["FAILURES", "Exchange", "body_of"]

FAILURES = (OSError, http.client.HTTPException)
"""What `send` raises when there was no answer."""


IDLE_S = 1.0
"""A connection that was idle for longer is not used again: a service may close it just as the next request is on its way, and
whether that request was taken nobody could say. Services usually wait 2 s (gunicorn) or 5 s (uvicorn)."""


class Exchange:
    """For one thread."""

    def __init__(self, timeout_s):
        self.timeout_s, self.connection, self.place, self.used = timeout_s, None, None, 0.0

    def send(self, request, headers=()):
        """Send a request of the plan, its body as JSON. Returns `(status, answer)`, the answer None where it is no JSON.

        Raises: one of `FAILURES`; the request may have arrived or not.
        """
        url = urllib.parse.urlsplit(request["url"])
        path = url.path + ("?" + url.query if url.query else "")
        whole = dict(headers, **{"Content-Type": "application/json"})
        try:
            if self.place != url.netloc or monotonic() - self.used > IDLE_S or self._closed_by_service():
                self.drop()
                self.connection = http.client.HTTPConnection(url.netloc, timeout=self.timeout_s)
                self.place = url.netloc
            self.connection.request(request.get("method", "POST"), path, body_of(request), whole)
            response = self.connection.getresponse()
            raw = response.read()
            self.used = monotonic()
        except FAILURES:
            self.drop()
            raise
        try:
            return response.status, json.loads(raw)
        except ValueError:
            return response.status, None

    def _closed_by_service(self):
        """Whether the kept connection has ended meanwhile: services close those that are idle (uvicorn's after 5 s)."""
        kept = self.connection.sock
        if kept is None:
            return False  # Its last answer said so, and the next request opens another.
        try:
            kept.settimeout(0)
            kept.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            kept.settimeout(self.timeout_s)
            return False
        except OSError:
            pass
        return True  # It ended, or says what nobody asked for.

    def drop(self):
        """Close the connection; the next request opens another."""
        if self.connection is not None:
            self.connection.close()
        self.connection, self.place = None, None


def body_of(request):
    """The body of a request as it is sent, the same at every try: what a signature is made of."""
    return json.dumps(request.get("body", {})).encode()
