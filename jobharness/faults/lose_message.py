"""Lose message: one message never arrives, such as the acknowledgement of one job."""

from __future__ import annotations

from jobharness.faults.messages import Loss

__all__ = ["LoseMessage"]


class LoseMessage(Loss):
    """The message that `on` names is taken out of the stream, and only that one. `then`: see `messages.Loss`."""

    kind = "lose_message"
    act = "lose"
