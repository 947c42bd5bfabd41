"""Broker full: the broker answers, and takes nothing more."""

from __future__ import annotations

from collections.abc import Sequence

from jobharness.brokers.abilities import CanFill
from jobharness.faults.fault import Scene, Target, everyone
from jobharness.history.follow import News

__all__ = ["BrokerFull"]


class BrokerFull:
    """Redis: `maxmemory` reached, noeviction. PostgreSQL: read-only. RabbitMQ: the memory alarm. NATS: streams at their limit.

    Redis then still gives jobs out, and refuses to note what became of them; RabbitMQ blocks who publishes, and delivers on.
    """

    kind = "broker_full"
    lasting = True
    on_broker = CanFill
    changes_broker = True

    def strike(self, scene: Scene, news: News | None) -> Sequence[Target]:
        """Set its limit below what it holds; RabbitMQ is told through rabbitmqctl, which takes a second or two."""
        assert isinstance(scene.broker, CanFill)
        scene.broker.fill()
        return everyone(scene)

    def undo(self, scene: Scene) -> None:
        """The limit of before."""
        if isinstance(scene.broker, CanFill):
            scene.broker.clear()
