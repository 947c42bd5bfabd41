"""Kill: SIGKILL, as the kernel's out-of-memory killer or a careless operator does it."""

from __future__ import annotations

import signal
from collections.abc import Sequence

from jobharness.faults.fault import Scene, Target, aim, checked_target
from jobharness.history.follow import News

__all__ = ["Kill"]


class Kill:
    """SIGKILL for a main process ("worker"), one process of its pool ("child"), both ("tree"), or all workers ("all")."""

    kind = "kill"
    lasting = False

    def __init__(self, target: str = "worker") -> None:
        self._target = checked_target(self.kind, target)

    def strike(self, scene: Scene, news: News | None) -> Sequence[Target]:
        """Signal the processes; none where no worker is ready, or the one meant is gone."""
        victims = aim(scene, self._target, news)
        for victim in victims:
            scene.signal(victim, signal.SIGKILL)
        return victims

    def undo(self, scene: Scene) -> None:
        """Nothing: the process manager starts a replacement."""
