"""Broker full: the broker answers, and takes nothing more."""

from __future__ import annotations

from collections.abc import Sequence

from jobharness.brokers.abilities import CanFill
from jobharness.faults.aside import Aside
from jobharness.faults.fault import Scene, Target, everyone
from jobharness.history.follow import News

__all__ = ["BrokerFull"]

AT_ONCE_S = 0.02  # Redis, PostgreSQL and NATS are told by then; RabbitMQ's tool takes a second or two.


class BrokerFull:
    """Redis: `maxmemory` reached, noeviction. PostgreSQL: read-only. RabbitMQ: the memory alarm. NATS: streams at their limit.

    Redis then still gives jobs out, and refuses to note what became of them; RabbitMQ blocks who publishes, and delivers on.
    """

    kind = "broker_full"
    lasting = True
    on_broker = CanFill
    changes_broker = True

    def __init__(self) -> None:
        self._filling: Aside | None = None
        self._clearing: Aside | None = None

    def strike(self, scene: Scene, news: News | None) -> Sequence[Target]:
        """Have its limit set below what it holds, which goes on beside the run where it takes longer than a moment."""
        assert isinstance(scene.broker, CanFill)
        self._filling = Aside(scene.broker.fill)
        self._filling.is_done(AT_ONCE_S)
        return everyone(scene)

    def work(self, scene: Scene) -> bool:
        """Whether it is full by now. Raises: BrokerFailed when it would not be."""
        return self._filling is None or self._filling.is_done()

    def undo(self, scene: Scene) -> None:
        """Have the limit of before set."""
        filling, self._filling = self._filling, None
        if filling is not None and isinstance(scene.broker, CanFill):
            self._clearing = Aside(scene.broker.clear, behind=filling)

    def healed(self, scene: Scene) -> bool:
        """Whether it takes everything again. Raises: BrokerFailed."""
        return self._clearing is None or self._clearing.is_done()
