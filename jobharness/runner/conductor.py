"""Lets the faults strike: feeds their triggers, records what each hit, and heals.

    trigger -> strike -> open (a lasting fault goes on, a process is replaced) -> undo -> whole again -> closed

A fault strikes again only when what it broke before is whole. Overlaps of different faults are allowed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from jobharness.agent.recorder import Recorder
from jobharness.clock import deadline_ns, now_ns
from jobharness.errors import EnvironmentFailed
from jobharness.faults.fault import PROCESS, Healing, Scene, Target, Working
from jobharness.history.event import AT_WORK, Kind
from jobharness.history.follow import News
from jobharness.runner.board import Board
from jobharness.runner.parts import ArmedFault
from jobharness.runner.steps import Steps

__all__ = ["Conductor"]

HEALED_WITHIN_S = 2.0
LOOK_EVERY_S = 0.002
TAKES_JOBS = (Kind.JOB_RECEIVED, Kind.JOB_RUNNING, Kind.ENQUEUE_BEGIN)
REFUSALS = (Kind.ENQUEUE_REFUSED, Kind.ENQUEUE_UNKNOWN)


@dataclass
class _Strike:
    """A fault that is open. `until_ns`: when to undo it; None: it ends by itself, or with the workload where it lasts."""

    armed: ArmedFault
    scene: Scene
    targets: Sequence[Target]
    until_ns: int | None
    undone: bool = False
    working: bool = False
    hit: set[bytes] = field(default_factory=set)

    @property
    def lasts(self) -> bool:
        """Whether jobs that come along now are hit too."""
        return not self.undone and (self.armed.fault.lasting or self.working)

    def reaches(self, one: News) -> Target | None:
        """The target of this fault in which the event happened, if any."""
        for target in self.targets:
            if not target.worker or (target.worker == one.name and (not target.child or target.pid == one.process)):
                return target
        return None


class Conductor:
    """Runs all faults of a run. Not for two threads at once.

    Args: `scenes`: for each fault, by label; `whole`: whether every process of the app is at work that should be.
    """

    def __init__(
        self,
        faults: Sequence[ArmedFault],
        scenes: Mapping[str, Scene],
        whole: Callable[[], bool],
        board: Board,
        recorder: Recorder,
        steps: Steps | None = None,
    ) -> None:
        self._faults, self._scenes, self._whole, self._board, self._recorder = faults, scenes, whole, board, recorder
        self._steps = steps if steps is not None else Steps((), {}, None)
        self._open: dict[str, _Strike] = {}
        self._unaccounted: list[_Strike] = []
        self._strikes = 0

    @property
    def strikes(self) -> int:
        """How often anything struck."""
        return self._strikes + self._steps.strikes

    def start(self, now: int) -> None:
        """The workload begins at `now`, ns."""
        for armed in self._faults:
            armed.trigger.start(now)
        self._steps.start()

    def see(self, news: Sequence[News]) -> None:
        """Show the triggers what happened, but for faults that are still open; note what open ones that last hit meanwhile."""
        news = [self._board.placed(one) if one.kind is Kind.UPSTREAM_REQUEST else one for one in news]
        for armed in self._faults:
            if armed.label not in self._open:
                armed.trigger.see(news)
        self._steps.see(news)
        for one in news:
            if one.kind is Kind.FAULT_BEGIN and one.role == "wire":
                self._hit_by_wire(one)
        lasting = [strike for strike in self._open.values() if strike.lasts]
        for one in news if lasting else ():
            # One that has come and gone since the last look was not held up.
            held_up = one.kind in TAKES_JOBS and one.key in self._board.in_flight(one.name)
            if held_up or (one.kind in REFUSALS and any(one.key)):
                for strike in lasting:
                    target = strike.reaches(one)
                    if target is not None:
                        self._hit(strike, target, one.key)

    def _hit_by_wire(self, begin: News) -> None:
        """The proxy struck a message of a worker, perhaps one that names no job (a heartbeat): what the worker holds was hit."""
        label = self._recorder.text(begin.text)
        for key in self._board.in_flight(begin.name):
            self._recorder.record(Kind.FAULT_HIT, key, text=label)

    def act(self) -> bool:
        """Strike what is due. True when something was struck: then read on, and `account`."""
        for armed in self._faults:
            due, cause = armed.trigger.due(now_ns())
            if due and armed.label not in self._open:
                if cause is not None and self._is_past(cause):
                    armed.trigger.missed()
                else:
                    self._strike(armed, cause)
        self._steps.let_go()
        return bool(self._unaccounted)

    def _is_past(self, cause: News) -> bool:
        """Whether the execution that should have been struck has ended since: then the next one is waited for."""
        return cause.kind is Kind.JOB_RUNNING and cause.key not in self._board.in_flight(cause.name)

    def _strike(self, armed: ArmedFault, cause: News | None) -> None:
        scene = self._scenes[armed.label]
        targets = armed.fault.strike(scene, cause)
        if not targets:
            armed.trigger.missed()
            return
        told = self._recorder.text(getattr(armed.fault, "tells", ""))
        self._recorder.record(Kind.FAULT_BEGIN, value=armed.trigger.strikes + 1, task=told, text=self._recorder.text(armed.label))
        armed.trigger.struck(now_ns())
        until_ns = deadline_ns(armed.lasts_s) if armed.fault.lasting and armed.lasts_s is not None else None
        strike = _Strike(armed, scene, targets, until_ns, working=isinstance(armed.fault, Working))
        self._open[armed.label] = strike
        self._unaccounted.append(strike)
        self._strikes += 1
        self._steps.struck(armed.label)
        if cause is not None and cause.kind is Kind.BROKER_STEP and any(cause.key):
            self._hit(strike, targets[0], cause.key)
        for other in self._faults:
            other.trigger.other_struck(armed.label, now_ns())

    def account(self) -> None:
        """Record which jobs were in flight where something was struck, now that all its victims recorded was read."""
        for strike in self._unaccounted:
            for target in strike.targets:
                jobs = self._board.in_flight(target.worker, target.pid if target.child else None)
                for key in jobs:
                    self._hit(strike, target, key)
                if not jobs and not strike.hit:
                    label, words = self._recorder.text(strike.armed.label), self._recorder.text(self._at_work(target))
                    self._recorder.record(Kind.FAULT_HIT, value=target.pid, text=label, group=words)
        self._unaccounted.clear()

    def _at_work(self, target: Target) -> str:
        """Who has work to do without holding a job: a scheduler always, the producer until it has sent its plan."""
        sending = target.worker == "producer" and not self._board.producer_done
        return AT_WORK if sending or target.worker.startswith(("scheduler-", PROCESS)) else ""

    def _hit(self, strike: _Strike, target: Target, key: bytes) -> None:
        """Once per strike and job, however many of the struck processes have to do with it."""
        if key in strike.hit:
            return
        strike.hit.add(key)
        self._recorder.record(Kind.FAULT_HIT, key, value=target.pid, text=self._recorder.text(strike.armed.label))

    def _tend(self, strike: _Strike) -> None:
        """Move an open fault on: let it work, undo it at its end, close it when everything is whole again."""
        fault = strike.armed.fault
        if strike.working and isinstance(fault, Working):
            strike.working = not fault.work(strike.scene)
        over = not fault.lasting or (strike.until_ns is not None and now_ns() >= strike.until_ns)
        if over and (fault.lasting or not strike.working) and not strike.undone:
            self._undo(strike)
        if strike.undone and self._whole():
            self._close_if_healed(strike)

    def _undo(self, strike: _Strike) -> None:
        strike.armed.fault.undo(strike.scene)
        strike.undone = True
        self._steps.undone(strike.armed.label)

    def heal(self) -> None:
        """The workload is over: undo what would last for ever. A fault with a given time keeps it; see `healed`."""
        self._steps.stop()
        for strike in self._open.values():
            if strike.armed.fault.lasting and strike.until_ns is None and not strike.undone:
                strike.working = False
                self._undo(strike)

    def heal_at_once(self) -> None:
        """Undo all that is open, whatever its time, and record the end of each that is healed. What takes its time, such as a
        broker that starts again, is waited for two seconds; a replacement of a process is not.

        The last struck first, since an earlier one may need what a later one took away. The broker's own limits come last of
        all: some brokers are told them by a program, which takes its time.
        """
        strikes = [strike for strike in reversed(self._open.values()) if not strike.undone]
        for strike in sorted(strikes, key=lambda one: getattr(one.armed.fault, "changes_broker", False)):
            strike.working = False
            try:
                self._undo(strike)
            except EnvironmentFailed:
                continue  # The others are to be healed still; `undo_all` tries once more.
        self._steps.stop()
        limit_ns = deadline_ns(HEALED_WITHIN_S)
        left = [strike for strike in self._open.values() if strike.undone]
        while left and now_ns() < limit_ns:
            for strike in list(left):
                try:
                    self._close_if_healed(strike)
                except EnvironmentFailed:
                    left.remove(strike)  # It stays open: nothing may say that it was healed.
            left = [strike for strike in left if strike.armed.label in self._open]
            time.sleep(LOOK_EVERY_S)

    def _close_if_healed(self, strike: _Strike) -> None:
        fault = strike.armed.fault
        if not isinstance(fault, Healing) or fault.healed(strike.scene):
            self._recorder.record(Kind.FAULT_END, text=self._recorder.text(strike.armed.label))
            del self._open[strike.armed.label]

    def undo_all(self) -> None:
        """Undo every fault at once, open or not. Safe to call twice; on every way out of a run."""
        for armed in self._faults:
            armed.fault.undo(self._scenes[armed.label])
            self._steps.undone(armed.label)
        self._steps.stop()

    @property
    def healed(self) -> bool:
        """Whether nothing that struck is still open."""
        return not self._open

    def tend(self) -> None:
        """Move on what is open: work, undo at its end, close when whole. Nothing new strikes."""
        for strike in list(self._open.values()):
            self._tend(strike)
