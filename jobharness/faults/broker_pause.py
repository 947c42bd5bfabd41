"""Broker pause: the broker hangs. Connections stay open, and nothing is answered."""

from __future__ import annotations

from collections.abc import Sequence

from jobharness.brokers.abilities import CanPause
from jobharness.faults.fault import Scene, Target, everyone
from jobharness.history.follow import News

__all__ = ["BrokerPause"]


class BrokerPause:
    """SIGSTOP for all processes of the broker, SIGCONT at the end, as a stalled disk or a moving virtual machine."""

    kind = "broker_pause"
    lasting = True
    on_broker = CanPause
    changes_broker = True

    def strike(self, scene: Scene, news: News | None) -> Sequence[Target]:
        """Stop it in its tracks."""
        assert isinstance(scene.broker, CanPause)
        scene.broker.pause()
        return everyone(scene)

    def undo(self, scene: Scene) -> None:
        """Let it go on."""
        if isinstance(scene.broker, CanPause):
            scene.broker.resume()
