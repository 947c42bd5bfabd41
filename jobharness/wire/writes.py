"""Any protocol at all, encrypted too: nothing is read, and what is told apart are the socket writes of the app.

All that the app sends until something comes back is one write; what follows its first bytes is `more` of it. What comes back
belongs to the write before.
"""

from __future__ import annotations

from jobharness.wire.message import Direction, Message

__all__ = ["Writes"]


class Writes:
    """Counts the writes of one connection."""

    commands = frozenset(("write", "more"))

    def __init__(self) -> None:
        self.lost = ""
        self._number = 0
        self._answered = True

    def feed(self, direction: Direction, data: bytes) -> list[Message]:
        """Take in bytes; returns them as one message."""
        if direction is Direction.FROM_BROKER:
            self._answered = True
            return [Message(direction, "write", data, 0, self._number)]
        if not self._answered:
            return [Message(direction, "more", data)]
        self._number, self._answered = self._number + 1, False
        return [Message(direction, "write", data, self._number)]

    def rest(self, direction: Direction) -> bytes:
        """Nothing: no byte is kept back."""
        return b""

    def repeat(self, message: Message) -> tuple[bytes, tuple[int, ...]]:
        """Send it again; how much of what comes back is meant for the second nobody knows."""
        return message.raw, ()

    def withdraw(self, message: Message) -> tuple[bytes, tuple[int, ...]]:
        """Nothing goes in its place."""
        return b"", ()

    def describe(self, message: Message) -> str:
        """That something was written, or came back."""
        return f"reply to {message.command}" if message.is_reply else message.command

    def values(self, message: Message) -> list[bytes]:
        """None that could be read."""
        return []
