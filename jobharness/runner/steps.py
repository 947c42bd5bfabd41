"""Faults at a broker step: arms them in the proxy, and lets go what it holds for them when they have struck.

A fault that the proxy carries out by itself (`AtStep`: a message lost, late, repeated) is only armed and disarmed here.
For any other, such as a kill, the proxy stops all traffic of the worker at the message and records BROKER_STEP; that
event triggers the fault, and then

- the worker's main process was sent SIGKILL: what was held dies with it;
- it was stopped: what was held goes on when the fault is undone;
- else, also when nothing struck: it goes on at once.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence

from jobharness.faults.fault import AtStep, CanArm
from jobharness.history.event import Kind
from jobharness.history.follow import News
from jobharness.runner.parts import ArmedFault
from jobharness.runner.scene import RunScene

__all__ = ["Steps"]


class Steps:
    """What is armed at broker steps, and what is held. `line`: what holds them; None where no fault needs one."""

    def __init__(self, faults: Sequence[ArmedFault], scenes: dict[str, RunScene], line: CanArm | None) -> None:
        self._faults = [armed for armed in faults if armed.step is not None]
        self._scenes, self._line = scenes, line
        self._held: dict[str, ArmedFault] = {}
        self._frozen: set[str] = set()  # Labels whose worker is stopped: held until that is undone.
        self.strikes = 0  # Those that the proxy made by itself.

    def start(self) -> None:
        """The workload begins."""
        for armed in self._faults:
            scene = self._scenes[armed.label]
            if isinstance(armed.fault, AtStep):
                armed.fault.arm(scene, armed.step or "", armed.times)
            elif self._line is not None:
                self._line.arm(armed.label, armed.step or "", "hold", None)

    def see(self, news: Sequence[News]) -> None:
        """Learn what is held now."""
        for one in news:
            if one.kind is Kind.BROKER_STEP:
                self._held |= {armed.label: armed for armed in self._faults if armed.label == one.text}
            elif one.kind is Kind.FAULT_BEGIN and one.role == "wire":
                self.strikes += 1

    def struck(self, label: str) -> None:
        """A fault struck: let its worker's traffic go on, or die, or wait for the end of the fault."""
        if label not in self._held:
            return
        scene = self._scenes[label]
        sent, scene.sent = scene.sent, set()
        if signal.SIGSTOP in sent:
            self._frozen.add(label)
        else:
            self._release(label, forward=signal.SIGKILL not in sent)

    def undone(self, label: str) -> None:
        """A fault was undone."""
        if label in self._frozen:
            self._frozen.discard(label)
            self._release(label, forward=True)

    def let_go(self) -> None:
        """Let everything go on that waits for no fault: its trigger passed it by, or nobody was there to strike."""
        for label, armed in list(self._held.items()):
            if not armed.trigger.pending and label not in self._frozen:
                self._release(label, forward=True)

    def stop(self) -> None:
        """No step strikes any more, and all goes on. Safe to call twice."""
        for armed in self._faults:
            if isinstance(armed.fault, AtStep):
                armed.fault.undo(self._scenes[armed.label])
            elif self._line is not None and armed.label not in self._frozen:
                self._line.disarm(armed.label)
                self._held.pop(armed.label, None)

    def _release(self, label: str, forward: bool) -> None:
        self._held.pop(label, None)
        if self._line is not None:
            self._line.release(label, forward)
