"""Connection limit: whoever is connected to the broker stays, and nobody else is let in."""

from __future__ import annotations

from collections.abc import Sequence

from jobharness.brokers.abilities import CanLimitConnections
from jobharness.errors import InvalidRequest
from jobharness.faults.fault import Scene, Target, everyone
from jobharness.history.follow import News

__all__ = ["ConnectionLimit"]


class ConnectionLimit:
    """At most `spare` connections more than there are now, refused as the server does it: Redis `maxclients`, PostgreSQL "too
    many clients" (idle connections take all there are), RabbitMQ the virtual host's limit.
    """

    kind = "connection_limit"
    lasting = True
    on_broker = CanLimitConnections
    changes_broker = True

    def __init__(self, spare: int = 0) -> None:
        if not isinstance(spare, int) or spare < 0:
            raise InvalidRequest(f"fault {self.kind!r}: spare is a number of connections, 0 or more, not {spare!r}")
        self._spare = spare

    def strike(self, scene: Scene, news: News | None) -> Sequence[Target]:
        """Set the limit."""
        assert isinstance(scene.broker, CanLimitConnections)
        scene.broker.limit_connections(self._spare)
        return everyone(scene)

    def undo(self, scene: Scene) -> None:
        """Let everybody in again."""
        if isinstance(scene.broker, CanLimitConnections):
            scene.broker.free_connections()
