"""The live picture of a run, kept from the events as they arrive: what is enqueued, in flight, done.

It steers (drain, progress, what a strike hit) and never judges: contracts read the History.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from uuid import UUID

from jobharness.history.event import Dead, Kind
from jobharness.history.follow import News

__all__ = ["PROGRESS", "Board"]

_ACKNOWLEDGED, _SETTLED = 1, 2

PROGRESS = frozenset((Kind.JOB_RECEIVED, Kind.JOB_RUNNING, Kind.JOB_FINISHED, Kind.JOB_FAILED, Kind.JOB_RETRIED, Kind.JOB_DEAD))
"""What shows that a job is moving. Those of a schedule do not count: it goes on whatever else stands."""
LEAVES_FLIGHT = frozenset(
    (
        Kind.JOB_FINISHED, Kind.JOB_FAILED, Kind.JOB_TIMED_OUT, Kind.JOB_DEAD, Kind.JOB_REJECTED,
        Kind.ENQUEUE_REFUSED, Kind.ENQUEUE_UNKNOWN,
    )
)  # fmt: skip


class Board:
    """Counts and the jobs in flight. Memory grows with the jobs that are unsettled, and with the ticks of schedules; not
    with the jobs that are done."""

    def __init__(self) -> None:
        self.begun = self.acknowledged = self.finished = self.dead = 0
        self.producer_ready = False
        self.producer_done = False
        self.last_progress_ns = 0
        self.given_up: dict[str, bytes] = {}  # Ids of the jobs that were given up -> their keys.
        self._ids: dict[bytes, str] = {}  # Of jobs under way whose key does not tell the id.
        self._open: dict[bytes, int] = {}  # Flags of jobs whose enqueue or completion was not both seen.
        self._ticks: set[bytes] = set()  # Jobs that a schedule sent.
        self._flight: defaultdict[str, dict[bytes, int]] = defaultdict(dict)  # worker -> job -> process running it, or 0

    def see(self, news: Iterable[News]) -> None:
        """Take in events, in any order that keeps each process's own."""
        together = list(news)
        self._ticks.update(one.key for one in together if one.kind is Kind.SCHEDULE_TICK)
        for one in together:
            self._see(one)

    def _see(self, one: News) -> None:
        kind = one.kind
        if (kind in PROGRESS or kind is Kind.ENQUEUE_ACKNOWLEDGED) and one.key not in self._ticks:
            delay_ns = one.value if kind is Kind.JOB_RETRIED else 0
            self.last_progress_ns = max(self.last_progress_ns, one.time_ns + delay_ns)
        if kind is Kind.ENQUEUE_BEGIN:
            self.begun += 1
            # A worker that enqueues is not looked at: what it holds is told by what it takes.
            if one.role != "worker":
                self._flight[one.name][one.key] = 0
        elif kind is Kind.ENQUEUE_ACKNOWLEDGED:
            self.acknowledged += 1
            if one.role != "worker":
                self._flight[one.name].pop(one.key, None)
            self._mark(one.key, _ACKNOWLEDGED)
        elif kind is Kind.ENQUEUE_LINKED:
            # It is to come, though nobody has enqueued it yet: the run is not over before.
            self._mark(one.key, _ACKNOWLEDGED)
        elif kind is Kind.JOB_RECEIVED:
            self._name(one)
            self._flight[one.name].setdefault(one.key, 0)
        elif kind is Kind.JOB_RUNNING:
            self._name(one)
            self._flight[one.name][one.key] = one.process
        elif kind is Kind.PRODUCER_READY:
            self.producer_ready = True
        elif kind is Kind.PRODUCER_DONE:
            self.producer_done = True
        if kind in LEAVES_FLIGHT:
            self._flight[one.name].pop(one.key, None)
        if kind is Kind.JOB_FINISHED:
            self.finished += 1
            self._ids.pop(one.key, None)
            self._mark(one.key, _SETTLED)
        elif kind is Kind.JOB_DEAD:
            self.dead += 1
            self.given_up[self._ids.get(one.key) or str(UUID(bytes=one.key))] = one.key
            if one.value != Dead.WORKER_LOST:
                self._mark(one.key, _SETTLED)

    def _name(self, one: News) -> None:
        if one.text:
            self._ids[one.key] = one.text

    def _mark(self, key: bytes, flag: int) -> None:
        flags = self._open.get(key, 0) | flag
        if flags == _ACKNOWLEDGED | _SETTLED:
            self._open.pop(key, None)
        else:
            self._open[key] = flags

    @property
    def unsettled(self) -> int:
        """Acknowledged jobs that were not seen to complete."""
        return sum(1 for flags in self._open.values() if flags == _ACKNOWLEDGED)

    @property
    def running(self) -> int:
        """Executions under way."""
        return len(self.executed)

    @property
    def executed(self) -> list[bytes]:
        """The keys of the jobs that are executed now, each once for every execution."""
        return [key for jobs in self._flight.values() for key, process in jobs.items() if process]

    def in_flight(self, worker: str, process: int | None = None) -> list[bytes]:
        """The keys of the jobs that a process by its name holds (taken, running, being enqueued), that one process of a worker
        runs, or, for "", of all."""
        if not worker:
            return [key for jobs in self._flight.values() for key in jobs]
        jobs = self._flight[worker]
        return [key for key, runner in jobs.items() if process is None or runner == process]

    def placed(self, one: News) -> News:
        """An event of somebody else about a job, such as a request to the upstream, as one of the worker that runs the job."""
        for worker, jobs in self._flight.items():
            if jobs.get(one.key):
                return one._replace(name=worker, process=jobs[one.key])
        return one

    def forget_gone(self, runs_code: Callable[[int], bool]) -> None:
        """Executions whose process is gone ended with it: a worker's child may die alone, and not every library says so."""
        for jobs in self._flight.values():
            for key in [key for key, process in jobs.items() if process and not runs_code(process)]:
                del jobs[key]

    def forget(self, worker: str) -> None:
        """A worker is gone, and with it all it held."""
        self._flight.pop(worker, None)
