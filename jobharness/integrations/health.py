"""Asks the health URL of the app's service throughout the run, as a load balancer does."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterable, Mapping, Sequence
from queue import Empty, SimpleQueue
from urllib.parse import urlsplit

from jobharness.history.event import Kind
from jobharness.history.follow import News
from jobharness.processes.site import Site
from jobharness.runner.watch import Notice

__all__ = ["HealthProbe"]

EVERY_S = 0.1
TIMEOUT_S = 2.0


class HealthProbe:
    """See `jobharness.runner.watch`. Asks `path` of the service ten times a second, in a thread; notices HEALTH_ANSWERED."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._answers: SimpleQueue[int] = SimpleQueue()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def places(self) -> Mapping[str, str]:
        """None."""
        return {}

    def start(self, site: Site, places: Mapping[str, str]) -> None:
        """Begin to ask."""
        where = urlsplit(places["service.url"])
        self._thread = threading.Thread(target=self._ask, args=(where.hostname or "", where.port or 80), daemon=True)
        self._thread.start()

    def _ask(self, host: str, port: int) -> None:
        while not self._over.wait(EVERY_S):
            connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
            try:
                connection.request("GET", self._path)
                status = connection.getresponse().status
            except (OSError, http.client.HTTPException):
                status = 0
            finally:
                connection.close()
            self._answers.put(status)

    def see(self, news: Sequence[News]) -> None:
        """It asks, and is not told."""

    def look(self) -> Iterable[Notice]:
        """What was answered."""
        while True:
            try:
                yield Notice(Kind.HEALTH_ANSWERED, value=self._answers.get_nowait())
            except Empty:
                return

    waiting = False

    def finish(self) -> Iterable[Notice]:
        """What was answered until now."""
        return self.look()

    def stop(self) -> None:
        """Ask no more."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(TIMEOUT_S + 1)
            self._thread = None
