"""What a message is, whichever job and whichever run it belongs to: its description with all that varies taken out.

Two runs of the same job send messages of the same signatures, so that a step learnt in one run is found again in the next.
"""

from __future__ import annotations

import re

from jobharness.wire.message import Message, printable

__all__ = ["signature"]

LONGEST = 200
LOOK_AT = 800
ENDS_TRANSACTION = ("COMMIT", "END")
# Ids, moments, tags, addresses: whatever has a digit in it and is longer than a name would be, and every number.
_VARIES = re.compile(r"[^\s,'\"\[\](){}:;=|]*\d[^\s,'\"\[\](){}:;=|]*")
_WORD = re.compile(r"[A-Za-z_]{3,}")
_BODY = re.compile(r"[\[{(][\"'].*")  # A JSON value, or a row: named by what stands before it.


def signature(message: Message, described: str) -> str:
    """`described` is what the framing says of it. Replies have none of their own: they are named by their command."""
    if message.is_reply:
        return f"reply {message.command}".strip()
    if message.command in ENDS_TRANSACTION and message.context:
        # All commits are alike but for what they commit.
        words = " ".join(_WORD.findall(_VARIES.sub(" ", printable(message.context, LOOK_AT))))
        return f"{message.command} of {words}"[:LONGEST].strip()
    words = _VARIES.sub("#", _BODY.sub("#", described))
    named = words if words.upper().startswith(message.command.upper()) else f"{message.command} {words}"
    return named[:LONGEST].strip()
