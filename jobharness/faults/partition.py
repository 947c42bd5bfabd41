"""Partition: a worker and the broker cannot reach each other for a while, and both live on."""

from __future__ import annotations

from collections.abc import Sequence

from jobharness.faults.fault import Scene, Target
from jobharness.faults.network import Over
from jobharness.history.follow import News

__all__ = ["Partition"]


class Partition:
    """Nothing passes until it is healed; then what was sent arrives, as TCP sends it again.

    Connections made meanwhile get no answer. Whose connections: see `network.Over`; by default those of one worker.
    """

    kind = "partition"
    lasting = True
    on_wire = True

    def __init__(self, target: str = "worker", direction: str = "both") -> None:
        self._over = Over(self.kind, target, direction)

    def strike(self, scene: Scene, news: News | None) -> Sequence[Target]:
        """Cut them off."""
        return self._over.disturb(scene, news, {})

    def undo(self, scene: Scene) -> None:
        """Let everything through again."""
        self._over.calm(scene)
