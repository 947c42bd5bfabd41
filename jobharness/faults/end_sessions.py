"""End sessions: the broker ends every connection of a worker, sharper than its own restart: nobody else notices."""

from __future__ import annotations

from collections.abc import Sequence

from jobharness.brokers.abilities import CanEndSessions
from jobharness.faults.fault import Scene, Target
from jobharness.faults.network import Over
from jobharness.history.follow import News

__all__ = ["EndSessions"]


class EndSessions:
    """`CLIENT KILL`, `pg_terminate_backend`, or a forced close in RabbitMQ, for every session of the target there is now.

    `target`: "worker" (the one an event came from, else any that is ready), "workers", "producer", "all", or a name such as
    "worker-1".
    """

    kind = "end_sessions"
    lasting = False
    on_broker = CanEndSessions

    def __init__(self, target: str = "worker") -> None:
        self._over = Over(self.kind, target)

    def strike(self, scene: Scene, news: News | None) -> Sequence[Target]:
        """End them; whoever has none is not struck."""
        assert isinstance(scene.broker, CanEndSessions)
        targets = self._over.targets(scene, news)
        return [target for target in targets if scene.broker.end_sessions(scene.connections(target.worker))]

    def undo(self, scene: Scene) -> None:
        """Nothing: the client must connect again."""
