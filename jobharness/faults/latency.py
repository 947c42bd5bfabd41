"""Latency: every message takes longer, by a time that may vary."""

from __future__ import annotations

from collections.abc import Sequence

from jobharness.faults.fault import Scene, Target
from jobharness.faults.network import Over, checked_duration
from jobharness.history.follow import News

__all__ = ["Latency"]


class Latency:
    """What is sent arrives `by` later, give or take `jitter`; the order is kept. Whose connections: see `network.Over`."""

    kind = "latency"
    lasting = True
    on_wire = True

    def __init__(
        self,
        by: str,
        jitter: str = "0s",
        target: str = "workers",
        direction: str = "both",
        share: float = 1.0,
        first: int | None = None,
    ) -> None:
        self._over = Over(self.kind, target, direction, share, first)
        self._details = {
            "delay_s": checked_duration(self.kind, "by", by),
            "jitter_s": checked_duration(self.kind, "jitter", jitter),
        }

    def strike(self, scene: Scene, news: News | None) -> Sequence[Target]:
        """Begin to delay."""
        return self._over.disturb(scene, news, self._details)

    def undo(self, scene: Scene) -> None:
        """What is still under way arrives now."""
        self._over.calm(scene)
