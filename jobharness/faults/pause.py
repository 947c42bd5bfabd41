"""Pause: SIGSTOP, and SIGCONT later, as a stalled virtual machine: the lease runs out while the job lives."""

from __future__ import annotations

import signal
from collections.abc import Sequence

from jobharness.faults.fault import Scene, Target, aim, checked_target
from jobharness.history.follow import News

__all__ = ["Pause"]


class Pause:
    """SIGSTOP for the target, by default a worker with its whole pool ("tree"), SIGCONT at its end. Targets as for `kill`."""

    kind = "pause"
    lasting = True

    def __init__(self, target: str = "tree") -> None:
        self._target = checked_target(self.kind, target)
        self._paused: list[Target] = []

    def strike(self, scene: Scene, news: News | None) -> Sequence[Target]:
        """Stop the processes, children first, so that none sees its parent gone; none where nobody is ready."""
        victims = aim(scene, self._target, news)
        for victim in reversed(victims):
            scene.signal(victim, signal.SIGSTOP)
        self._paused.extend(victims)
        return victims

    def undo(self, scene: Scene) -> None:
        """Let them go on."""
        while self._paused:
            scene.signal(self._paused.pop(), signal.SIGCONT)
