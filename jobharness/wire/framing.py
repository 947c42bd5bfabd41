"""The seam: what a framing is, and which there are."""

from __future__ import annotations

import importlib
from typing import Protocol

from jobharness.wire.message import Direction, Message

__all__ = ["FRAMINGS", "Framing", "framing_named"]

FRAMINGS = {
    "resp": "jobharness.wire.resp:Resp",
    "amqp": "jobharness.wire.amqp:Amqp",
    "postgres": "jobharness.wire.postgres:Postgres",
    "nats": "jobharness.wire.nats:Nats",
    "http": "jobharness.wire.http:Http",
    "writes": "jobharness.wire.writes:Writes",
}


class Framing(Protocol):
    """Cuts both directions of one connection into messages, whatever pieces they arrive in.

    `lost` is "" while it can follow; afterwards the reason why not, and it is to be fed no more: `rest` holds what was not yet
    given out as messages.
    """

    lost: str
    commands: frozenset[str]
    """Every name that a message of this protocol can have, in lower case, to check what a scenario asks for."""

    def feed(self, direction: Direction, data: bytes) -> list[Message]:
        """Take in bytes; returns the messages that they complete."""
        ...

    def rest(self, direction: Direction) -> bytes:
        """What was fed and is not yet part of a whole message."""
        ...

    def repeat(self, message: Message) -> tuple[bytes, tuple[int, ...]]:
        """The bytes that send a command a second time, and the numbers of the replies that the client must not see."""
        ...

    def withdraw(self, message: Message) -> tuple[bytes, tuple[int, ...]]:
        """A command will never reach the broker, so it is not answered.

        Returns the bytes that must go in its place for the broker to be as if it had not been sent (often none), and the
        numbers of the replies to those, which the client must not see.
        """
        ...

    def describe(self, message: Message) -> str:
        """The message in a few words, for a transcript."""
        ...

    def values(self, message: Message) -> list[bytes]:
        """The message's single values (arguments, columns), to find a job's short id among them."""
        ...


def framing_named(name: str) -> type[Framing]:
    """The framing of a protocol, to be made once per connection. Raises: KeyError."""
    module, _, attribute = FRAMINGS[name].partition(":")
    made: type[Framing] = getattr(importlib.import_module(module), attribute)
    return made
