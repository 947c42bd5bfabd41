"""Slow close: one side has closed the connection, and the other learns of it only later."""

from __future__ import annotations

from collections.abc import Sequence

from jobharness.faults.fault import Scene, Target
from jobharness.faults.network import Over, checked_duration
from jobharness.history.follow import News

__all__ = ["SlowClose"]


class SlowClose:
    """The end of a connection arrives `by` later, so that the broker still believes in a worker that is gone.

    Whose connections: see `network.Over`.
    """

    kind = "slow_close"
    lasting = True
    on_wire = True

    def __init__(self, by: str, target: str = "workers", share: float = 1.0, first: int | None = None) -> None:
        self._over = Over(self.kind, target, "both", share, first)
        self._details = {"delay_s": checked_duration(self.kind, "by", by)}

    def strike(self, scene: Scene, news: News | None) -> Sequence[Target]:
        """Begin to delay ends."""
        return self._over.disturb(scene, news, self._details)

    def undo(self, scene: Scene) -> None:
        """Ends that come from now on arrive at once."""
        self._over.calm(scene)
