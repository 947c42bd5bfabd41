"""One message of a protocol, as the framings cut it out of the stream."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

__all__ = ["Direction", "Message", "printable"]


class Direction(IntEnum):
    """Which way bytes go."""

    TO_BROKER = 0
    FROM_BROKER = 1


@dataclass(slots=True)
class Message:
    """One whole message. Its `raw` bytes, joined in order, are the stream.

    `command`: what the protocol calls it, such as "BRPOP", "basic.ack" or "COMMIT"; of a reply, the command it answers,
    where the protocol says which. `also`: further names that it answers to. `number`: from 1, of commands, within the
    connection. `of`: of a reply, the number of its command; 0 where it answers none. `context`: bytes that belong to it
    and went before (the commands of a transaction that this message commits; of a reply, its command). `tokens`: what
    the protocol calls the same thing by later (a delivery tag).
    `channel`: messages of different channels may overtake each other; 0 where the protocol has none.
    """

    direction: Direction
    command: str
    raw: bytes
    number: int = 0
    of: int = 0
    also: tuple[str, ...] = ()
    context: bytes = b""
    tokens: tuple[bytes, ...] = ()
    channel: int = 0

    @property
    def is_reply(self) -> bool:
        """Whether the broker sent it."""
        return self.direction is Direction.FROM_BROKER


def printable(raw: bytes, most: int = 120) -> str:
    """The readable part of some bytes, on one line."""
    text = raw[: most * 2].decode("utf-8", "replace")
    if not text.isprintable():
        text = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(text.split())[:most]
