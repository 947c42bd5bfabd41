"""Broker refuse: the broker's port refuses connections, as when it is down, restarting, or behind a changed firewall."""

from __future__ import annotations

from collections.abc import Sequence

from jobharness.errors import InvalidRequest
from jobharness.faults.fault import Scene, Target
from jobharness.faults.network import Over
from jobharness.history.follow import News

__all__ = ["BrokerRefuse"]

EXISTING = ("kept", "cut")


class BrokerRefuse:
    """New connections are refused (ECONNREFUSED), and those that exist are "kept" or "cut" (reset), as `existing` says.

    It is done by the proxy, so it works for a broker given by URL too. Whose connections: see `network.Over`.
    """

    kind = "broker_refuse"
    lasting = True
    on_wire = True

    def __init__(self, existing: str = "kept", target: str = "all") -> None:
        if existing not in EXISTING:
            raise InvalidRequest(f"fault {self.kind!r}: existing must be one of {', '.join(EXISTING)}, not {existing!r}")
        self._over = Over(self.kind, target)
        self._details = {"cut": existing == "cut"}

    def strike(self, scene: Scene, news: News | None) -> Sequence[Target]:
        """Close the port."""
        return self._over.disturb(scene, news, self._details)

    def undo(self, scene: Scene) -> None:
        """Open it again."""
        self._over.calm(scene)
