"""Broker restart: the broker ends in order and is started again, with its data or without."""

from __future__ import annotations

from collections.abc import Sequence

from jobharness.brokers.abilities import CanCrash, CanForget
from jobharness.clock import deadline_ns, now_ns
from jobharness.errors import InvalidRequest
from jobharness.faults.fault import Scene, Target, everyone
from jobharness.faults.revival import Revival
from jobharness.history.follow import News

__all__ = ["BrokerRestart"]

DATA = ("kept", "lost")
GRACE_S = 20.0


class BrokerRestart:
    """The broker is told to end, and started again once it has and `for` is over; at once without `for`.

    `data`: "kept", as an upgrade does it, or "lost": it comes back empty, as on a new volume.
    """

    kind = "broker_restart"
    lasting = True
    lasts_s = 0.0
    on_broker: type[CanCrash] | type[CanForget] = CanCrash
    changes_broker = True

    def __init__(self, data: str = "kept") -> None:
        if data not in DATA:
            raise InvalidRequest(f"fault {self.kind!r}: data must be one of {', '.join(DATA)}, not {data!r}")
        self.on_broker = CanForget if data == "lost" else CanCrash
        self._revival = Revival(forget=data == "lost")
        self._kill_at_ns = 0

    def strike(self, scene: Scene, news: News | None) -> Sequence[Target]:
        """Tell it to end; nobody is struck where it is down already."""
        broker = scene.broker
        assert isinstance(broker, CanCrash)
        if broker.is_gone():
            return ()
        struck = everyone(scene)
        broker.quit()
        self._revival.is_down()
        self._kill_at_ns = deadline_ns(GRACE_S)
        return struck

    def work(self, scene: Scene) -> bool:
        """Wait until it has ended; what does not within 20 s is killed."""
        broker = scene.broker
        assert isinstance(broker, CanCrash)
        if not broker.is_gone() and now_ns() > self._kill_at_ns:
            broker.kill()
        return broker.is_gone()

    def undo(self, scene: Scene) -> None:
        """Start it again."""
        self._revival.begin(scene)

    def healed(self, scene: Scene) -> bool:
        """Whether it answers again. Raises: BrokerFailed when it does not come back."""
        return self._revival.is_over(scene)
