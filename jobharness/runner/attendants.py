"""The processes of the app beside its workers: the producer and the schedulers. What a fault ended is started again.

A producer goes on with its plan: the job whose send was under way is unknown and is not sent again, the others are sent late.
A scheduler is kept by `queue.restart`, as the workers are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from jobharness.agent.recorder import Recorder
from jobharness.clock import deadline_ns, now_ns
from jobharness.errors import ProcessFailed
from jobharness.history.event import Kind
from jobharness.history.follow import News
from jobharness.processes.process import Process

__all__ = ["Attendant", "Attendants"]


class Attendant:
    """One such process by name, through all its lives.

    Args: `launch` starts one; `again(code)`: whether one that exited by itself is started again; `delay_s`: how long after.
    """

    def __init__(
        self, name: str, launch: Callable[[], Process], recorder: Recorder, again: Callable[[int], bool], delay_s: float
    ) -> None:
        self.name, self._launch, self._recorder, self._again, self._delay_s = name, launch, recorder, again, delay_s
        self.process: Process | None = None
        self.ready = False
        self.ended = False  # By a fault: its exit is no surprise.
        self._restart_ns: int | None = None
        self._stopping = False

    def start(self) -> None:
        """Start it. Raises: ProcessFailed."""
        self.process, self.ended, self._restart_ns = self._launch(), False, None
        self._recorder.record(Kind.PROCESS_STARTED, value=self.process.pid, text=self._recorder.text(self.name))
        # Nothing tells when a scheduler has begun; it is taken to be at work from its start.
        self.ready = self.name != "producer"

    def tend(self) -> None:
        """Notice its exit, start the next that is due. Raises: ProcessFailed when it ended by itself and is not started again."""
        code = self.process.exit_code if self.process is not None else None
        if self.process is not None and code is not None:
            said = "" if self.ended else self.process.log_tail(lines=5)
            name, last_lines = self._recorder.text(self.name), self._recorder.text(said)
            self._recorder.record(Kind.PROCESS_EXITED, value=code, text=name, task=last_lines)
            if not self.ended and not self._again(code):
                raise ProcessFailed(self.name, f"ended with code {code} by itself", self.process.log_tail())
            self.process, self.ready = None, False
            if not self._stopping:
                self._restart_ns = deadline_ns(self._delay_s)
        if self._restart_ns is not None and now_ns() >= self._restart_ns:
            self.start()

    def stop(self, grace_s: float) -> None:
        """End it for good. Safe to call twice."""
        self._stopping, self._restart_ns = True, None
        if self.process is not None:
            self.process.stop(grace_s)
            self.process = None

    @property
    def whole(self) -> bool:
        """Whether it is at work, or need not be."""
        return self._stopping or (self.process is not None and self.ready)


class Attendants:
    """The producer and the schedulers of a run."""

    def __init__(self, producer: Attendant, schedulers: Iterable[Attendant] = ()) -> None:
        self.producer, self.schedulers = producer, tuple(schedulers)
        self.done = False

    def __iter__(self) -> Iterator[Attendant]:
        return iter((self.producer, *self.schedulers))

    def start(self) -> None:
        """Start them all. Raises: ProcessFailed."""
        for one in self:
            one.start()

    def see(self, news: Iterable[News]) -> None:
        """Learn that the producer is ready, or has sent its whole plan."""
        for one in news:
            if one.kind is Kind.PRODUCER_READY and self.producer.process is not None:
                self.producer.ready |= one.process == self.producer.process.pid
            elif one.kind is Kind.PRODUCER_DONE:
                self.done = True

    def tend(self) -> None:
        """Look after them. Raises: ProcessFailed when one ended by itself and is not started again."""
        for one in self:
            if one is not self.producer or not self.done:
                one.tend()

    @property
    def whole(self) -> bool:
        """Whether each is at work, or has done its work."""
        return all(one.whole or (one is self.producer and self.done) for one in self)

    def stop_schedules(self) -> None:
        """The workload is over: nothing periodic is sent any more. Safe to call twice."""
        for one in self.schedulers:
            one.stop(grace_s=2)

    def kill(self) -> None:
        """End them all at once: nothing more is sent. Safe to call twice."""
        for one in self:
            one.stop(grace_s=0)

    def stop(self) -> None:
        """End them all. Safe to call twice."""
        self.stop_schedules()
        self.producer.stop(grace_s=1)
