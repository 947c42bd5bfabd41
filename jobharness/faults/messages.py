"""What the faults that lose a message have in common: how it is armed, and whether the sender is told."""

from __future__ import annotations

from collections.abc import Sequence

from jobharness.errors import InvalidRequest
from jobharness.faults.fault import CanArm, Scene, Target
from jobharness.history.follow import News

__all__ = ["Loss"]

THEN = ("reset", "silence")
ANSWERS_EVERYTHING = ("resp", "postgres", "sqlite")


class Loss:
    """Something of a message is lost: `act` says what.

    `then`: "reset", the connection breaks, so that the sender knows that it cannot know; "silence", nothing is said.
    Without it: reset where the protocol answers every command (Redis, PostgreSQL), silence where it does not (AMQP, NATS).
    """

    kind: str
    act: str
    lasting = False
    on_wire = True

    def __init__(self, then: str | None = None) -> None:
        if then is not None and then not in THEN:
            raise InvalidRequest(f"fault {self.kind!r}: then must be one of {', '.join(THEN)}, not {then!r}")
        self._then = then

    def arm(self, scene: Scene, match: str, times: int | None) -> None:
        """Say which message."""
        assert scene.steps is not None
        scene.steps.arm(scene.label, match, self.act, times, reset=self._resets(scene.steps))

    def _resets(self, steps: CanArm) -> bool:
        return self._then == "reset" if self._then is not None else steps.framing in ANSWERS_EVERYTHING

    def strike(self, scene: Scene, news: News | None) -> Sequence[Target]:
        """It strikes by itself once it is armed."""
        return ()

    def undo(self, scene: Scene) -> None:
        """Strike no more; what is lost stays lost."""
        if scene.steps is not None:
            scene.steps.disarm(scene.label)
