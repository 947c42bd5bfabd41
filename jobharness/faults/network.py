"""What the faults of the network have in common: whose connections, which way, how many of them.

The proxy does the disturbing (`jobharness.wire`); a fault tells it what, when it strikes, and to stop, when it is undone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobharness.errors import InvalidRequest
from jobharness.faults.fault import Scene, Target
from jobharness.history.follow import News
from jobharness.scenario.units import parse_duration

__all__ = ["Over", "checked_duration"]

GROUPS = ("worker", "workers", "producer", "service", "all")
WAYS = ("both", "to-broker", "from-broker")


@dataclass(frozen=True)
class Over:
    """Whose connections to the broker are disturbed.

    `target`: "worker" (the one an event came from, else any that is ready), "workers", "producer", "service", "all", or
    a name such as "worker-1". `direction`: "both", "to-broker" or "from-broker". `share` of the connections, and of
    those the `first` (None: all), those opened later included. Raises: InvalidRequest.
    """

    kind: str
    target: str
    direction: str = "both"
    share: float = 1.0
    first: int | None = None

    def __post_init__(self) -> None:
        if self.target not in GROUPS and not self.target.startswith("worker-"):
            allowed = ", ".join(GROUPS)
            raise InvalidRequest(f"fault {self.kind!r}: target must be one of {allowed} or a worker's name, not {self.target!r}")
        if self.direction not in WAYS:
            raise InvalidRequest(f"fault {self.kind!r}: direction must be one of {', '.join(WAYS)}, not {self.direction!r}")
        if not 0 < self.share <= 1:
            raise InvalidRequest(f"fault {self.kind!r}: share must be above 0 and at most 1, not {self.share}")
        if self.first is not None and self.first < 1:
            raise InvalidRequest(f"fault {self.kind!r}: first must be at least 1, not {self.first}")

    def disturb(self, scene: Scene, news: News | None, details: Mapping[str, Any]) -> Sequence[Target]:
        """Lay the disturbance; returns whose connections it is over, none where there is nobody."""
        wire = scene.wire
        assert wire is not None  # A scenario with a fault of the network has a proxy.
        targets = [target for target in self.targets(scene, news) if target.worker in wire.names]
        if targets:
            seed = str(scene.random.getrandbits(64))
            names = [target.worker for target in targets]
            wire.lay(scene.label, self.kind, names, self.direction, self.share, self.first, seed, dict(details))
        return targets

    def targets(self, scene: Scene, news: News | None) -> Sequence[Target]:
        """Whose connections are meant now."""
        pids = {target.worker: target.pid for target in scene.workers()}
        return [Target(name, pids.get(name, 0)) for name in self._names(scene, news, list(pids))]

    def _names(self, scene: Scene, news: News | None, ready: list[str]) -> Sequence[str]:
        if self.target == "worker":
            elsewhere = news is None or not news.name.startswith("worker-")
            meant = [name for name in ready if elsewhere or (news is not None and news.name == name)]
            return [scene.random.choice(meant)] if meant else []
        if self.target == "workers":
            return [name for name in scene.clients() if name.startswith("worker-")]
        return scene.clients() if self.target == "all" else [self.target]

    def calm(self, scene: Scene) -> None:
        """Lift the disturbance. Safe to call twice."""
        if scene.wire is not None:
            scene.wire.lift(scene.label)


def checked_duration(kind: str, key: str, text: str | float) -> float:
    """A duration in seconds. Raises: InvalidRequest."""
    try:
        return float(parse_duration(text))
    except ValueError as error:
        raise InvalidRequest(f"fault {kind!r}: {key}: {error}") from None
