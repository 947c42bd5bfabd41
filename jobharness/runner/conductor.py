"""Lets the faults strike: feeds their triggers, records what each strike hit, and heals.

A fault strikes again only when what it broke before has been replaced.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from random import Random

from jobharness.agent.recorder import Recorder
from jobharness.clock import now_ns
from jobharness.faults.fault import Target
from jobharness.history.event import Kind
from jobharness.history.follow import News
from jobharness.runner.board import Board
from jobharness.runner.fleet import Fleet
from jobharness.runner.parts import ArmedFault

__all__ = ["Conductor"]


ENDING = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


class _Scene:
    """What a fault may see and do; see `faults.fault.Scene`."""

    def __init__(self, fleet: Fleet, random: Random) -> None:
        self._fleet, self.random = fleet, random

    def workers(self) -> Sequence[Target]:
        return [Target(w.name, w.process.pid) for w in self._fleet.ready_workers() if w.process is not None]

    def children(self, worker: str) -> Sequence[Target]:
        found = (w.process for w in self._fleet.workers if w.name == worker and w.process is not None)
        return [Target(worker, child.pid, child=True) for process in found for child in process.children()]

    def signal(self, target: Target, number: int) -> None:
        for worker in self._fleet.ready_workers():
            if worker.process is None or worker.name != target.worker:
                continue
            if not target.child:
                worker.process.signal(number)
                if number in ENDING:
                    self._fleet.ending(worker)  # No other fault may aim at it.
                return
            for child in worker.process.children():
                if child.pid == target.pid:
                    child.send_signal(number)


class Conductor:
    """Runs all faults of a run. Not for two threads at once."""

    def __init__(self, faults: Sequence[ArmedFault], fleet: Fleet, board: Board, recorder: Recorder, seed: int) -> None:
        self._faults, self._fleet, self._board, self._recorder = faults, fleet, board, recorder
        self._scenes = {armed.label: _Scene(fleet, Random(f"{seed}:{armed.label}")) for armed in faults}
        self._open: set[str] = set()
        self._struck: list[tuple[ArmedFault, Sequence[Target]]] = []
        self.strikes = 0

    def start(self, now: int) -> None:
        """The workload begins at `now`, ns."""
        for armed in self._faults:
            armed.trigger.start(now)

    def see(self, news: Sequence[News]) -> None:
        """Show the triggers what happened; those whose fault is not healed yet do not look."""
        for armed in self._faults:
            if armed.label not in self._open:
                armed.trigger.see(news)

    def act(self) -> bool:
        """Strike what is due, close what is healed. True when something was struck: then read on, and `account`."""
        for armed in self._faults:
            if armed.label in self._open:
                if self._fleet.whole:
                    self._close(armed)
                continue
            due, cause = armed.trigger.due(now_ns())
            if due:
                self._strike(armed, cause)
        return bool(self._struck)

    def _strike(self, armed: ArmedFault, cause: News | None) -> None:
        targets = armed.fault.strike(self._scenes[armed.label], cause)
        if not targets:
            armed.trigger.missed()
            return
        self._recorder.record(Kind.FAULT_BEGIN, value=armed.trigger.strikes + 1, text=self._recorder.text(armed.label))
        armed.trigger.struck(now_ns())
        self._open.add(armed.label)
        self._struck.append((armed, targets))
        self.strikes += 1

    def account(self) -> None:
        """Record which jobs were in flight where something was struck, now that all its victims recorded was read."""
        for armed, targets in self._struck:
            label = self._recorder.text(armed.label)
            for target in targets:
                jobs = self._board.in_flight(target.worker, target.pid if target.child else None)
                for key in jobs:
                    self._recorder.record(Kind.FAULT_HIT, key, value=target.pid, text=label)
                if not jobs:
                    self._recorder.record(Kind.FAULT_HIT, value=target.pid, text=label)
        self._struck.clear()

    def _close(self, armed: ArmedFault) -> None:
        armed.fault.undo(self._scenes[armed.label])
        self._recorder.record(Kind.FAULT_END, text=self._recorder.text(armed.label))
        self._open.discard(armed.label)

    def heal(self) -> None:
        """Undo every fault; none strikes afterwards. Safe to call twice."""
        for armed in self._faults:
            if armed.label in self._open:
                self._close(armed)
            else:
                armed.fault.undo(self._scenes[armed.label])

    @property
    def healed(self) -> bool:
        """Whether nothing that struck is still open."""
        return not self._open
