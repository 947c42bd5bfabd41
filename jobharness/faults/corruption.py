"""Corruption: bits flip on the way, a checksum refuses them, and what was sent has to be sent again."""

from __future__ import annotations

from collections.abc import Sequence

from jobharness.errors import InvalidRequest
from jobharness.faults.fault import Scene, Target
from jobharness.faults.network import Over
from jobharness.history.follow import News

__all__ = ["Corruption"]


class Corruption:
    """The share `damaged` of what is sent is damaged. No reader ever sees the damage: TCP's checksum refuses it.

    What is seen is what TCP then does: it sends again after 200 ms, 400 ms and so on, and all that comes behind waits.
    That is what the proxy does; it never hands a changed byte to the app or the broker. Whose connections: see `network.Over`.
    """

    kind = "corruption"
    lasting = True
    on_wire = True

    def __init__(
        self,
        damaged: float = 0.05,
        target: str = "workers",
        direction: str = "both",
        share: float = 1.0,
        first: int | None = None,
    ) -> None:
        self._over = Over(self.kind, target, direction, share, first)
        if not 0 < damaged < 1:
            raise InvalidRequest(f"fault {self.kind!r}: damaged is a share between 0 and 1, not {damaged!r}")
        self._details = {"rate": damaged}

    def strike(self, scene: Scene, news: News | None) -> Sequence[Target]:
        """Begin to damage."""
        return self._over.disturb(scene, news, self._details)

    def undo(self, scene: Scene) -> None:
        """What waits to be sent again arrives now."""
        self._over.calm(scene)
