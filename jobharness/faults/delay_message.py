"""Delay message: one kind of message is late, such as every heartbeat."""

from __future__ import annotations

from collections.abc import Sequence

from jobharness.faults.fault import Scene, Target
from jobharness.faults.network import checked_duration
from jobharness.history.follow import News

__all__ = ["DelayMessage"]


class DelayMessage:
    """The message that `on` names arrives `by` later.

    What is sent behind it waits with it, as TCP has it; but where the protocol has channels (AMQP), only what is in the
    same one: so heartbeats can be late while messages flow.
    """

    kind = "delay_message"
    lasting = False
    on_wire = True

    def __init__(self, by: str) -> None:
        self._by_s = checked_duration(self.kind, "by", by)

    def arm(self, scene: Scene, match: str, times: int | None) -> None:
        """Say which message."""
        assert scene.steps is not None
        scene.steps.arm(scene.label, match, "delay", times, by_s=self._by_s)

    def strike(self, scene: Scene, news: News | None) -> Sequence[Target]:
        """It strikes by itself once it is armed."""
        return ()

    def undo(self, scene: Scene) -> None:
        """Strike no more; what is under way keeps its time."""
        if scene.steps is not None:
            scene.steps.disarm(scene.label)
