"""A producer on another machine: joined by itself, and seen only in what it records and in when it was last heard of."""

from __future__ import annotations

from jobharness.clock import now_ns, seconds_between
from jobharness.history.event import Kind
from jobharness.history.follow import News
from jobharness.processes.process import wait_for
from jobharness.runner.nodes import Nodes

__all__ = ["LOST_AFTER_S", "Distant"]

LOST_AFTER_S = 10.0
"""Who was silent for so long is not waited for. It may come back, and end in order all the same."""


class Distant:
    """One of them by name, beside `attendants.Attendant`: it sends, may vanish, and is started by nobody here."""

    process = None
    exit_code = None
    sends = True
    ended = False

    def __init__(self, name: str, nodes: Nodes) -> None:
        self.name, self._nodes = name, nodes
        self.ready = self.done = self.vanished = False
        self._stopping = False

    def start(self) -> None:
        """It joins by itself."""

    def see(self, one: News) -> None:
        """Learn that it is ready, or has sent everything."""
        if one.name.startswith(f"{self.name}/"):
            self.ready |= one.kind is Kind.PRODUCER_READY
            self.done |= one.kind is Kind.PRODUCER_DONE

    def tend(self, code: int | None) -> None:
        """Notice its silence, and its end of that."""
        heard_ns = self._nodes.heard_ns(self.name)
        self.vanished = self.ready and seconds_between(heard_ns, now_ns()) > LOST_AFTER_S

    def stop(self, grace_s: float) -> None:
        """It is to send nothing more. Waits so long for its orderly end. Safe to call twice."""
        self._stopping = True
        self._nodes.stop()
        if self.ready and not self.vanished:
            wait_for(lambda: self._nodes.has_ended(self.name), grace_s)

    @property
    def whole(self) -> bool:
        """Whether it is at work, or need not be."""
        return self._stopping or self.done or self.vanished or self.ready
