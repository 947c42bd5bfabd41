"""What was seen of the job of a stage so far, to steer by; its outcome is judged from the History."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from uuid import UUID

from jobharness.history.event import Kind
from jobharness.history.follow import News
from jobharness.runner.board import PROGRESS

__all__ = ["Seen"]

ENDS = frozenset((Kind.JOB_FINISHED, Kind.JOB_DEAD))


@dataclass
class Seen:
    """What of the job was seen so far, to steer by. The outcome is judged from the History."""

    keys: list[bytes] = field(default_factory=list)  # In the order of sending: the job, then the nudge.
    links: list[bytes] = field(default_factory=list)  # Of a chain, group or chord: its jobs, of which the first one is the job.
    names: list[str] = field(default_factory=list)  # The library's ids, in the same order.
    ended: set[bytes] = field(default_factory=set)
    ticks: dict[bytes, str] = field(default_factory=dict)  # Jobs of the app's own schedule, each with its entry's name.
    held_by: list[str] = field(default_factory=list)  # Labels of steps that the proxy holds, or struck at.
    runner: int = 0  # The process that ran the job last.
    moved_ns: int = 0  # When anything was last heard of the job.

    def see(self, news: Sequence[News]) -> None:
        """Take in events."""
        for one in news:
            if one.kind is Kind.ENQUEUE_LINKED:
                if not self.links:
                    self._sent(one)
                self.links.append(one.key)
            elif one.kind is Kind.ENQUEUE_BEGIN and one.role == "producer" and one.key not in self.links:
                self._sent(one)
            elif one.kind is Kind.SCHEDULE_TICK:
                self.ticks[one.key] = one.text
            elif one.kind is Kind.JOB_RUNNING:
                if one.key in self.whole:
                    self.runner = one.process
            elif one.kind is Kind.BROKER_STEP or (one.kind is Kind.FAULT_BEGIN and one.role in ("wire", "worker")):
                self.held_by.append(one.text)
            if one.kind in ENDS:
                self.ended.add(one.key)
            if one.key in self.whole and one.kind in PROGRESS:
                self.moved_ns = max(self.moved_ns, one.time_ns + (one.value if one.kind is Kind.JOB_RETRIED else 0))

    def _sent(self, one: News) -> None:
        self.keys.append(one.key)
        self.names.append(one.text or str(UUID(bytes=one.key)))

    @property
    def whole(self) -> Sequence[bytes]:
        """The job, or of a chain, group or chord all its jobs."""
        return self.links or self.keys[:1]

    def entries(self, jobs: Set[bytes]) -> frozenset[str]:
        """The entries of the app's own schedule whose ticks are among these jobs."""
        return frozenset(entry for key, entry in self.ticks.items() if key in jobs)
