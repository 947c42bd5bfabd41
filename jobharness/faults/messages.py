"""What the faults that lose a message have in common: whether the sender is told."""

from __future__ import annotations

from jobharness.errors import InvalidRequest
from jobharness.faults.fault import CanArm

__all__ = ["checked_then", "resets"]

THEN = ("reset", "silence")
ANSWERS_EVERYTHING = ("resp", "postgres", "sqlite")


def checked_then(kind: str, then: str | None) -> str | None:
    """One of THEN, or None for the protocol's way. Raises: InvalidRequest."""
    if then is not None and then not in THEN:
        raise InvalidRequest(f"fault {kind!r}: then must be one of {', '.join(THEN)}, not {then!r}")
    return then


def resets(then: str | None, steps: CanArm) -> bool:
    """Whether the connection goes with the message."""
    return then == "reset" if then is not None else steps.framing in ANSWERS_EVERYTHING
