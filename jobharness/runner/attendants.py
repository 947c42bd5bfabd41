"""The processes of the app beside its workers: the producers and the schedulers. What a fault ended is started again.

A producer goes on with its plan: the job whose send was under way is unknown and is not sent again, the others are sent late.
One of a load generator's may vanish, and its share with it; so may one on another machine (`distant`). A scheduler is kept by
`queue.restart`, as the workers are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from jobharness.agent.recorder import Recorder
from jobharness.clock import deadline_ns, now_ns
from jobharness.errors import ProcessFailed
from jobharness.history.event import Kind
from jobharness.history.follow import News
from jobharness.processes.process import Process
from jobharness.runner.distant import Distant
from jobharness.runner.folder import RunFolder
from jobharness.runner.nodes import Nodes
from jobharness.runner.parts import Parts
from jobharness.runner.producers import ProducerProcess, Producers
from jobharness.runner.surroundings import Surroundings

__all__ = ["Attendant", "Attendants", "attendants_of"]


class Attendant:
    """One such process by name, through all its lives.

    Args: `launch` starts one; `again(code)`: whether one that exited by itself is started again; `delay_s`: how long after;
    the others as in `ProducerProcess`.
    """

    def __init__(
        self,
        name: str,
        launch: Callable[[], Process],
        recorder: Recorder,
        again: Callable[[int], bool],
        delay_s: float,
        *,
        sends: bool = False,
        may_vanish: bool = False,
    ) -> None:
        self.name, self._launch, self._recorder, self._again, self._delay_s = name, launch, recorder, again, delay_s
        self.sends, self._may_vanish = sends, may_vanish
        self.process: Process | None = None
        self.ready = False
        self.done = False  # It has sent all that it had to send.
        self.vanished = False
        self.ended = False  # By a fault: its exit is no surprise.
        self._restart_ns: int | None = None
        self._stopping = False

    def start(self) -> None:
        """Start it. Raises: ProcessFailed."""
        self.process, self.ended, self._restart_ns = self._launch(), False, None
        self._recorder.record(Kind.PROCESS_STARTED, value=self.process.pid, text=self._recorder.text(self.name))
        # Nothing tells when a scheduler has begun; it is taken to be at work from its start.
        self.ready = not self.sends

    def see(self, one: News) -> None:
        """Learn that it is ready, or has sent everything."""
        if self.process is not None and self.sends and one.process == self.process.pid:
            self.ready |= one.kind is Kind.PRODUCER_READY
            self.done |= one.kind is Kind.PRODUCER_DONE

    @property
    def exit_code(self) -> int | None:
        """None while it runs, or none was started."""
        return self.process.exit_code if self.process is not None else None

    def tend(self, code: int | None) -> None:
        """Mind its exit, of which `code` tells, start the next that is due. Raises: ProcessFailed when it ended by itself and is
        not started again."""
        if self.process is not None and code is not None:
            said = "" if self.ended else self.process.log_tail(lines=5)
            name, last_lines = self._recorder.text(self.name), self._recorder.text(said)
            self._recorder.record(Kind.PROCESS_EXITED, value=code, text=name, task=last_lines)
            if not self.ended and not self._again(code):
                if not (self._may_vanish and self.ready):
                    raise ProcessFailed(self.name, f"ended with code {code} by itself", self.process.log_tail())
                self.vanished = True
            self.process, self.ready = None, False
            if not self._stopping and not self.vanished:
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
        return self._stopping or self.done or self.vanished or (self.process is not None and self.ready)


class Attendants:
    """The producers and the schedulers of a run."""

    def __init__(self, producers: Iterable[Attendant | Distant], schedulers: Iterable[Attendant] = ()) -> None:
        self.producers, self.schedulers = tuple(producers), tuple(schedulers)

    def __iter__(self) -> Iterator[Attendant | Distant]:
        return iter((*self.producers, *self.schedulers))

    def start(self) -> None:
        """Start them all. Raises: ProcessFailed."""
        for one in self:
            one.start()

    def see(self, news: Iterable[News]) -> None:
        """Learn which producers are ready, or have sent what they had to send."""
        for one in news:
            if one.kind in (Kind.PRODUCER_READY, Kind.PRODUCER_DONE):
                for producer in self.producers:
                    producer.see(one)

    @property
    def done(self) -> bool:
        """Whether every producer that is left has sent its share."""
        return all(one.done or one.vanished for one in self.producers if one.sends)

    @property
    def late(self) -> Attendant | Distant | None:
        """A producer that is not ready, or None."""
        return next((one for one in self.producers if not one.whole), None)

    def tend(self, read: Callable[[], None]) -> None:
        """Look after them. `read`: takes in what was recorded. Raises: ProcessFailed when one ended by itself, is not started
        again, and cannot be done without."""
        codes = [one.exit_code for one in self]
        if any(code is not None for code in codes):
            read()  # Whether it has said that it is done: what it said last was said before its exit was seen.
        for one, code in zip(self, codes, strict=True):
            if not one.done:
                one.tend(code)
        senders = [one for one in self.producers if one.sends]
        if senders and all(one.vanished for one in senders):
            raise ProcessFailed(", ".join(one.name for one in senders), "vanished: nobody is left to send the jobs", "")

    @property
    def whole(self) -> bool:
        """Whether each is at work, or has done its work."""
        return all(one.whole for one in self)

    def stop_schedules(self) -> None:
        """The workload is over: nothing periodic is sent any more. Safe to call twice."""
        for one in self.schedulers:
            one.stop(grace_s=2)

    def kill(self) -> None:
        """End at once all that send: nothing more is sent. Safe to call twice."""
        for one in (*(one for one in self.producers if one.sends), *self.schedulers):
            one.stop(grace_s=0)

    def stop(self) -> None:
        """End them all. Safe to call twice."""
        self.stop_schedules()
        for one in self.producers:
            # What only runs beside the senders has a last word to say, such as Locust's statistics.
            one.stop(grace_s=1 if one.sends else 10)


def attendants_of(
    parts: Parts,
    folder: RunFolder,
    around: Surroundings,
    recorder: Recorder,
    producers: Producers,
    nodes: Nodes,
    warming_up: Callable[[], bool],
) -> Attendants:
    """The producers and the schedulers of a run, not yet started. Raises: InvalidRequest."""
    queue = parts.scenario.queue

    def attendant(one: ProducerProcess, role: str, again: Callable[[int], bool]) -> Attendant:
        def launch() -> Process:
            env, log = {**around.for_process(role, one.name, direct=one.direct), **one.env}, folder.logs / f"{one.name}.log"
            return Process(one.name, one.command, env=env, folder=around.cwd, log=log, mark=folder.run_id)

        further = {"sends": one.sends, "may_vanish": one.may_vanish}
        return Attendant(one.name, launch, recorder, again, queue.restart_delay, **further)

    def again(code: int) -> bool:
        # One that cannot even start would be started for ever.
        return not warming_up() and (queue.restart == "always" or (queue.restart == "on-failure" and code != 0))

    names = [f"scheduler-{number}" for number in range(1, queue.scheduler.count + 1)] if queue.scheduler is not None else []
    schedulers = [ProducerProcess(name, around.scheduler_command(name), sends=False) for name in names]
    started = [
        attendant(one, "producer", lambda code: False) for one in producers.processes(parts.scenario, around.python, folder)
    ]
    return Attendants(
        # What others hear by has to be there until they have ended.
        [*(Distant(name, nodes) for name in nodes.elsewhere), *started],
        [attendant(one, "scheduler", again) for one in schedulers],
    )
