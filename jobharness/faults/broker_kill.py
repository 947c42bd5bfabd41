"""Broker kill: SIGKILL of the broker with all its processes, and later its start on the same data and port."""

from __future__ import annotations

from collections.abc import Sequence

from jobharness.brokers.abilities import CanCrash
from jobharness.faults.fault import Scene, Target, everyone
from jobharness.faults.revival import Revival
from jobharness.history.follow import News

__all__ = ["BrokerKill"]


class BrokerKill:
    """The broker is killed, and started again at the fault's end (`for`; at the end of the workload without it).

    What the operating system had of its files by then is kept, as after a crash of the program and not of the machine.
    """

    kind = "broker_kill"
    lasting = True
    on_broker = CanCrash
    changes_broker = True

    def __init__(self) -> None:
        self._revival = Revival(forget=False)

    def strike(self, scene: Scene, news: News | None) -> Sequence[Target]:
        """Kill it; nobody is struck where it is down already."""
        broker = scene.broker
        assert isinstance(broker, CanCrash)  # The scenario was refused otherwise.
        if broker.is_gone():
            return ()
        struck = everyone(scene)
        broker.kill()
        self._revival.is_down()
        return struck

    def undo(self, scene: Scene) -> None:
        """Start it again."""
        self._revival.begin(scene)

    def healed(self, scene: Scene) -> bool:
        """Whether it answers again. Raises: BrokerFailed when it does not come back."""
        return self._revival.is_over(scene)
