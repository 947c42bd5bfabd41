"""Reset: connections break with a TCP reset, as when a load balancer or a firewall forgets them."""

from __future__ import annotations

from collections.abc import Sequence

from jobharness.faults.fault import Scene, Target
from jobharness.faults.network import Over
from jobharness.history.follow import News

__all__ = ["Reset"]


class Reset:
    """Connections are reset, and, as long as it lasts, new ones at once.

    With `first = n` only n of them, so that a client that tries again gets through. Whose connections: see `network.Over`.
    """

    kind = "reset"
    lasting = True
    on_wire = True

    def __init__(self, target: str = "workers", share: float = 1.0, first: int | None = None) -> None:
        self._over = Over(self.kind, target, "both", share, first)

    def strike(self, scene: Scene, news: News | None) -> Sequence[Target]:
        """Reset what is there."""
        return self._over.disturb(scene, news, {})

    def undo(self, scene: Scene) -> None:
        """New connections stay; the client must make them."""
        self._over.calm(scene)
