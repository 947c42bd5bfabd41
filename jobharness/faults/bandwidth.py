"""Bandwidth: no more than so many bytes a second get through."""

from __future__ import annotations

import re
from collections.abc import Sequence

from jobharness.errors import InvalidRequest
from jobharness.faults.fault import Scene, Target
from jobharness.faults.network import Over
from jobharness.history.follow import News

__all__ = ["Bandwidth"]

BYTES_PER = {"B": 1, "KB": 1000, "MB": 1000_000, "KiB": 1024, "MiB": 1024**2}
LIMIT = re.compile(r"(\d+(?:\.\d+)?)\s*(B|KB|MB|KiB|MiB)/s")


class Bandwidth:
    """Each connection carries `limit` at most in each direction, such as "64KB/s". Whose connections: see `network.Over`."""

    kind = "bandwidth"
    lasting = True
    on_wire = True

    def __init__(
        self,
        limit: str,
        target: str = "workers",
        direction: str = "both",
        share: float = 1.0,
        first: int | None = None,
    ) -> None:
        self._over = Over(self.kind, target, direction, share, first)
        match = LIMIT.fullmatch(limit.strip()) if isinstance(limit, str) else None
        if match is None or float(match[1]) == 0:
            raise InvalidRequest(f'fault {self.kind!r}: limit must be a rate such as "64KB/s" or "1MiB/s", not {limit!r}')
        self._details = {"bytes_per_s": float(match[1]) * BYTES_PER[match[2]]}

    def strike(self, scene: Scene, news: News | None) -> Sequence[Target]:
        """Begin to hold back."""
        return self._over.disturb(scene, news, self._details)

    def undo(self, scene: Scene) -> None:
        """What was held back arrives now."""
        self._over.calm(scene)
