"""The jobs that wait, as events tell of them: acknowledged, and not yet taken."""

from __future__ import annotations

from jobharness.clock import now_ns, seconds_between
from jobharness.history.event import Kind
from jobharness.history.follow import News

__all__ = ["Waiting"]

TAKEN = (Kind.JOB_RECEIVED, Kind.JOB_RUNNING)


class Waiting:
    """Those of one run. Memory grows with the jobs that wait. Read from any thread, told by one."""

    def __init__(self) -> None:
        self._waiting: dict[bytes, int] = {}  # Key -> when it was acknowledged, oldest first.
        self._taken: set[bytes] = set()  # Taken before the acknowledgement was read.

    def see(self, one: News) -> None:
        """Take in an event."""
        if one.kind is Kind.ENQUEUE_ACKNOWLEDGED:
            if one.key in self._taken:
                self._taken.discard(one.key)
            else:
                self._waiting[one.key] = one.time_ns
        elif one.kind in TAKEN and self._waiting.pop(one.key, None) is None and one.attempt <= 1:
            self._taken.add(one.key)

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def oldest_s(self) -> float:
        """How long the oldest of them has waited; 0 where none waits."""
        waiting = list(self._waiting.values())  # One step of CPython: a scrape comes at any moment.
        return seconds_between(waiting[0], now_ns()) if waiting else 0.0
