"""Lose reply: a command is carried out, and its answer never arrives."""

from __future__ import annotations

from jobharness.faults.messages import Loss

__all__ = ["LoseReply"]


class LoseReply(Loss):
    """The command that `on` names reaches the broker, and what the broker says to it is lost. `then`: see `messages.Loss`."""

    kind = "lose_reply"
    act = "lose_reply"
