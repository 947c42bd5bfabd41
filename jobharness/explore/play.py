"""Plays one schedule: what happens to the owner of a job, and whether another takes the job from it.

stage with two workers -> the job is taken, and held -> its owner falls silent, runs on, or a clock steps
-> as long as a lease may last, and one more job for those that look only then -> the owner goes on, ends and settles
-> the broker is asked -> the second owner, where there is one, ends too
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from jobharness.brokers.broker import MessageQueues
from jobharness.clock import now_ns, seconds_between
from jobharness.errors import EnvironmentFailed
from jobharness.explore.holds import Begun, Holds
from jobharness.explore.ownership import Schedule
from jobharness.explore.stage import Setting, Stage, stage_in
from jobharness.explore.transcript import told
from jobharness.history.event import EXECUTION_ENDS, Kind
from jobharness.history.follow import News
from jobharness.history.frame import History

__all__ = ["NUDGES", "Played", "Waits", "play", "rehearse_alone"]

BEGINS_WITHIN_S = 30.0
ENDS_WITHIN_S = 10.0
SETTLES_WITHIN_S = 3.0
NUDGED_WITHIN_S = 10.0
NUDGES = 12  # More than a worker has connections that wait for jobs, as a rule: they do so while it is stopped, too.
NUDGE_AGAIN_S = 1.5
GOES_ON_S = 1.0
COUNTED_WITHIN_S = 1.0
LOOK_AGAIN_S = 0.1


@dataclass(frozen=True)
class Waits:
    """How long a schedule waits. `outlast_s`: until a lease has run out and was found; `jump_s`: how far a clock steps;
    `after_nudge_s`: once another job was there."""

    outlast_s: float
    jump_s: float
    after_nudge_s: float


class _Ends:
    """Which executions of the job have ended, and where."""

    def __init__(self) -> None:
        self._ended: set[tuple[bytes, str, int]] = set()

    def see(self, news: list[News]) -> None:
        for one in news:
            if one.kind in EXECUTION_ENDS:
                self._ended.add((one.key, one.name, one.process))

    def has(self, begun: Begun) -> bool:
        return (begun.key, begun.worker, begun.process) in self._ended


@dataclass(frozen=True)
class Played:
    """What happened, and how the broker was had."""

    history: History
    provider: str


def play(setting: Setting, path: Path, schedule: Schedule, waits: Waits) -> Played:
    """Play it and return what happened. Blocks for a few seconds more than the waits. What of the environment failed makes the
    history say that it was cut short. Raises: EnvironmentFailed where there is no history at all."""
    with stage_in(setting, path) as stage:
        try:
            _Play(stage, schedule, waits).play()
        except EnvironmentFailed as error:
            stage.cut_short(str(error))
    return _kept(stage, path)


def rehearse_alone(setting: Setting, path: Path) -> Played:
    """Run the job once with nothing going wrong. Raises: EnvironmentFailed."""
    with stage_in(setting, path) as stage:
        stage.transcribe(True)
        stage.phase("job")
        stage.send()
        stage.until(stage.ended, BEGINS_WITHIN_S)
        stage.until(lambda: not stage.unsettled(), SETTLES_WITHIN_S)
    return _kept(stage, path)


def _kept(stage: Stage, path: Path) -> Played:
    assert stage.history is not None
    (path / "transcript.txt").write_text("".join(f"{line}\n" for line in told(stage.history)), encoding="utf-8")
    return Played(stage.history, stage.parts.broker.provider)


class _Play:
    def __init__(self, stage: Stage, schedule: Schedule, waits: Waits) -> None:
        self.stage, self.schedule, self.waits = stage, schedule, waits
        self.holds = Holds(stage.folder.mishaps, str(stage.setting.jobs[0]["task"]), schedule is Schedule.BLOCKED)
        self.ends = _Ends()
        self.stopped: list[psutil.Process] = []
        stage.onlookers += [self.holds.see, self.ends.see]

    def play(self) -> None:
        stage = self.stage
        stage.transcribe(True)
        if self.schedule is Schedule.BEHIND:
            self._move_all(-self.waits.jump_s)
        stage.phase("job")
        stage.send()
        if not stage.until(lambda: bool(self._of_job()), BEGINS_WITHIN_S):
            return
        # A server may count a message a moment after it has handed it out.
        self._until(lambda: bool(self._held()), COUNTED_WITHIN_S)
        stage.phase("taken")
        self._note_held()
        try:
            self._silence(self._of_job()[0])
            stage.phase("silent")
            self._wait_for_another()
            stage.phase("waited")
        finally:
            self._wake()
        if self.stopped:
            # What came for it while it was stopped is in its hands now.
            owner = self._of_job()[0]
            self._until(lambda: self._taken_again or self.ends.has(owner), GOES_ON_S)
        self._end()
        stage.phase("over")

    def _of_job(self) -> list[Begun]:
        return [one for one in self.holds.begun if self.stage.seen.keys[:1] == [one.key]]

    @property
    def _taken_again(self) -> bool:
        return len(self._of_job()) > 1

    def _silence(self, owner: Begun) -> None:
        """What the schedule does to it."""
        if self.schedule is Schedule.PAUSE:
            for process in self._family(owner.worker):
                try:
                    process.suspend()
                except psutil.NoSuchProcess:
                    continue
                self.stopped.append(process)
        elif self.schedule is Schedule.AHEAD:
            self._move_others(owner, self.waits.jump_s)
        elif self.schedule is Schedule.BEHIND:
            self._move_others(owner, 0.0)

    def _family(self, worker: str) -> Iterator[psutil.Process]:
        """Its processes, children before the main one, so that none sees its parent gone."""
        main = next(one.process for one in self.stage.fleet.workers if one.name == worker)
        if main is not None:
            yield from main.children()
            yield psutil.Process(main.pid)

    def _move_others(self, owner: Begun, by_s: float) -> None:
        clocks = self.stage.clocks
        assert clocks is not None  # The stage was set with movable clocks.
        for name in clocks.workers if by_s == 0 else [one.name for one in self.stage.fleet.workers]:
            if name != owner.worker:
                clocks.move(name, by_s, str(self.schedule))

    def _move_all(self, by_s: float) -> None:
        """The producer's, too: a job that is due later by its sender's clock is not taken."""
        assert self.stage.clocks is not None
        for name in self.stage.clocks.workers:
            self.stage.clocks.move(name, by_s, str(self.schedule))

    def _wait_for_another(self) -> None:
        """Until another has begun the job, or could have."""
        if self._until(lambda: self._taken_again, self.waits.outlast_s):
            return
        self.stage.phase("nudge")
        for _ in range(NUDGES):
            self.stage.nudge()
            if self._until(self._somebody_looked, NUDGE_AGAIN_S):
                break
        self._until(self._somebody_looked, NUDGED_WITHIN_S)
        for nudge in self._nudges():
            self.holds.let_go(nudge)
        self._until(lambda: self._taken_again, self.waits.after_nudge_s)

    def _nudges(self) -> list[Begun]:
        return [one for one in self.holds.begun if one.key in self.stage.seen.keys[1:]]

    def _somebody_looked(self) -> bool:
        return self._taken_again or bool(self._nudges())

    def _wake(self) -> None:
        for process in reversed(self.stopped):
            try:
                process.resume()
            except psutil.NoSuchProcess:
                continue
        if self.stopped:
            self.stage.phase("resumed")

    def _end(self) -> None:
        """The first owner ends and settles; then the broker is asked, and the second one may end."""
        owner, *later = self._of_job()
        self.holds.let_go(owner)
        stage = self.stage
        if stage.until(lambda: self.ends.has(owner) or self._gone(owner), ENDS_WITHIN_S):
            stage.phase("owner ended")
            if later:
                self._until(self._is_forgotten, SETTLES_WITHIN_S)
                stage.phase("looked")
                self._note_held()
        self.holds.let_all_go()
        stage.until(lambda: not stage.busy and not stage.unsettled(), SETTLES_WITHIN_S)

    def _gone(self, owner: Begun) -> bool:
        return not psutil.pid_exists(owner.process)

    def _held(self) -> str:
        """Where the broker holds the job; an AMQP broker lists no delivered message, but counts it."""
        where = self.stage.holds_job()
        if not where and isinstance(self.stage.parts.broker, MessageQueues) and self.stage.unsettled():
            where = "delivered, not acknowledged"
        return where

    def _is_forgotten(self) -> bool:
        """Looked at twice: a server may count late."""
        if self._held():
            return False
        self.stage.look_on(COUNTED_WITHIN_S / 2)
        return not self._held()

    def _note_held(self) -> None:
        where = self._held()
        recorder, keys = self.stage.recorder, self.stage.seen.keys
        if where and keys:
            recorder.record(Kind.JOB_HELD, keys[0], text=recorder.text(where))

    def _until(self, condition: Callable[[], bool], within_s: float) -> bool:
        """As the stage's, but the condition asks a server and is looked at less often."""
        began_ns = now_ns()
        while not condition():
            if seconds_between(began_ns, now_ns()) > within_s:
                return False
            self.stage.look_on(LOOK_AGAIN_S)
        return True
