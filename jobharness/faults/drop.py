"""Drop: what is sent is gone, and nobody is told: a half-open connection."""

from __future__ import annotations

from collections.abc import Sequence

from jobharness.faults.fault import Scene, Target
from jobharness.faults.network import Over
from jobharness.history.follow import News

__all__ = ["Drop"]


class Drop:
    """Bytes vanish silently, in one direction or both, as when the other machine has lost its power.

    What was sent meanwhile stays lost, so a connection that was struck is of no use afterwards: that is the fault. Whose
    connections: see `network.Over`.
    """

    kind = "drop"
    lasting = True
    on_wire = True

    def __init__(self, target: str = "worker", direction: str = "both", share: float = 1.0, first: int | None = None) -> None:
        self._over = Over(self.kind, target, direction, share, first)

    def strike(self, scene: Scene, news: News | None) -> Sequence[Target]:
        """Begin to lose."""
        return self._over.disturb(scene, news, {})

    def undo(self, scene: Scene) -> None:
        """What comes from now on arrives."""
        self._over.calm(scene)
