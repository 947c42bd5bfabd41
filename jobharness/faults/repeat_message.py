"""Repeat message: one message arrives twice, as when a sender that heard no answer tries again."""

from __future__ import annotations

from collections.abc import Sequence

from jobharness.faults.fault import Scene, Target
from jobharness.history.follow import News

__all__ = ["RepeatMessage"]


class RepeatMessage:
    """The message that `on` names reaches the broker twice; the sender hears one answer. Of a transaction, all of it is
    repeated."""

    kind = "repeat_message"
    lasting = False
    on_wire = True

    def __init__(self) -> None: ...

    def arm(self, scene: Scene, match: str, times: int | None) -> None:
        """Say which message."""
        assert scene.steps is not None
        scene.steps.arm(scene.label, match, "repeat", times)

    def strike(self, scene: Scene, news: News | None) -> Sequence[Target]:
        """It strikes by itself once it is armed."""
        return ()

    def undo(self, scene: Scene) -> None:
        """Strike no more."""
        if scene.steps is not None:
            scene.steps.disarm(scene.label)
