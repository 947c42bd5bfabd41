"""Lose message: one message never arrives, such as the acknowledgement of one job."""

from __future__ import annotations

from collections.abc import Sequence

from jobharness.faults.fault import Scene, Target
from jobharness.faults.messages import checked_then, resets
from jobharness.history.follow import News

__all__ = ["LoseMessage"]


class LoseMessage:
    """The message that `on` names is taken out of the stream, and only that one.

    `then`: "reset", the connection breaks, so that the sender knows that it cannot know; "silence", nothing is said.
    Without it: reset where the protocol answers every command (Redis, PostgreSQL), silence where it does not (AMQP, NATS).
    """

    kind = "lose_message"
    lasting = False
    on_wire = True

    def __init__(self, then: str | None = None) -> None:
        self._then = checked_then(self.kind, then)

    def arm(self, scene: Scene, match: str, times: int | None) -> None:
        """Say which message."""
        assert scene.steps is not None
        scene.steps.arm(scene.label, match, "lose", times, reset=resets(self._then, scene.steps))

    def strike(self, scene: Scene, news: News | None) -> Sequence[Target]:
        """It strikes by itself once it is armed."""
        return ()

    def undo(self, scene: Scene) -> None:
        """Strike no more; what is lost stays lost."""
        if scene.steps is not None:
            scene.steps.disarm(scene.label)
