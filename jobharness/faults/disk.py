"""Disk: the file system under the broker's data is full, and takes data again later."""

from __future__ import annotations

from collections.abc import Sequence

from jobharness.errors import InvalidRequest
from jobharness.faults.fault import EVERYONE, Scene, Target
from jobharness.history.follow import News
from jobharness.scenario.units import parse_size

__all__ = ["DiskFull"]


class DiskFull:
    """No space is left on the device that the broker's data is on: Redis's append-only file, PostgreSQL's tables and log,
    the file of a queue in SQLite. It is a file system of `size`, mounted for the run, so that no other data is near it.
    """

    kind = "disk"
    lasting = True
    needs = ("disk",)

    def __init__(self, size: str = "256MB") -> None:
        try:
            self.size_bytes = parse_size(size)
        except ValueError as error:
            raise InvalidRequest(f"fault {self.kind!r}: size: {error}") from None

    def strike(self, scene: Scene, news: News | None) -> Sequence[Target]:
        """Make it full, which is tried out at once."""
        assert scene.disk is not None  # The scenario was refused otherwise.
        scene.disk.fill()
        return (EVERYONE,)

    def undo(self, scene: Scene) -> None:
        """Let it take data again."""
        if scene.disk is not None:
            scene.disk.free()
