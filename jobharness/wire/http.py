"""HTTP/1.1: each request is one message with its body, and so is each answer; h11 reads them.

A request is named by its method, an answer by the method that it answers. What has no end but that of its connection is passed
on as it comes. What is no HTTP/1.1 from some point on (an upgrade to WebSocket, a tunnel) cannot be followed.
"""

from __future__ import annotations

from collections import deque

import h11

from jobharness.wire.message import Direction, Message

__all__ = ["Http"]

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE")
SWITCHED = 101


class Http:
    """Frames one connection to an HTTP server."""

    commands = frozenset(method.lower() for method in METHODS)

    def __init__(self) -> None:
        self.lost = ""
        self._requests = _Reader(h11.Connection(h11.SERVER))
        self._answers = _Reader(None)
        self._number = 0
        self._asked: deque[Message] = deque()

    def feed(self, direction: Direction, data: bytes) -> list[Message]:
        """Take in bytes; returns the messages that they complete."""
        reader = self._answers if direction else self._requests
        reader.held += data
        messages: list[Message] = []
        try:
            while not self.lost and (message := self._answer() if direction else self._request()) is not None:
                messages.append(message)
        except h11.ProtocolError as error:
            self.lost = f"it is no HTTP/1.1 ({error})"
        return messages

    def rest(self, direction: Direction) -> bytes:
        """What was fed and is not yet part of a whole message."""
        return bytes((self._answers if direction else self._requests).held)

    def _request(self) -> Message | None:
        reader = self._requests
        raw = reader.whole()
        if reader.connection is not None and reader.connection.they_are_waiting_for_100_continue:
            self.lost = "a request waits for 100 Continue before it sends its body"
        if raw is None or not isinstance(reader.head, h11.Request):
            return None
        if reader.head.method == b"CONNECT":
            self.lost = "a request opens a tunnel"
        method, target = reader.head.method.decode("ascii"), reader.head.target
        reader.begin(h11.Connection(h11.SERVER))
        self._number += 1
        message = Message(Direction.TO_BROKER, method, raw, self._number, context=target)
        self._asked.append(message)
        return message

    def _answer(self) -> Message | None:
        reader = self._answers
        if not self._asked:
            if reader.held:
                self.lost = "the server answers, and nothing was asked"
            return None
        asked = self._asked[0]
        if reader.connection is None:
            reader.begin(_asking(asked.command))
        raw = reader.all() if reader.endless else reader.whole()
        if isinstance(reader.head, h11.InformationalResponse) and reader.head.status_code == SWITCHED:
            self.lost = "the connection speaks another protocol from here on (101 Switching Protocols)"
            return None
        if raw is None and not reader.endless and _has_no_end(asked.command, reader.head):
            reader.endless = True
            raw = reader.all()
        if not raw:
            return None
        status = f"{reader.head.status_code}" if isinstance(reader.head, h11.Response) else ""
        if not reader.endless:
            self._asked.popleft()
            reader.begin(None)
        also = (status,) if status else ()
        return Message(Direction.FROM_BROKER, asked.command, raw, 0, asked.number, also, asked.raw)

    def repeat(self, message: Message) -> tuple[bytes, tuple[int, ...]]:
        """Send it again; the second answer is kept from the client."""
        for place, asked in enumerate(self._asked):
            if asked is message:
                self._number += 1
                again = Message(Direction.TO_BROKER, message.command, message.raw, self._number, context=message.context)
                self._asked.insert(place + 1, again)
                return message.raw, (again.number,)
        return message.raw, ()

    def withdraw(self, message: Message) -> tuple[bytes, tuple[int, ...]]:
        """It is not answered."""
        if message in self._asked:
            self._asked.remove(message)
        return b"", ()

    def describe(self, message: Message) -> str:
        """Such as "POST /messages", "201 to POST"."""
        if message.is_reply:
            return f"{' '.join(message.also) or 'more'} to {message.command}"
        return f"{message.command} {message.context.decode('latin-1')}"

    def values(self, message: Message) -> list[bytes]:
        """None: the agent names a request's job in a header, and an id in a path is found as any other."""
        return []


class _Reader:
    """Reads one message after another. `head`: what the present one began with; `endless`: it ends with its connection."""

    def __init__(self, connection: h11.Connection | None) -> None:
        self.held = bytearray()
        self.begin(connection)

    def begin(self, connection: h11.Connection | None) -> None:
        """What is held now begins a message; `connection` reads it, None: nobody knows how yet."""
        self.connection, self.head, self.endless = connection, None, False
        self._given = 0

    head: h11.Event | None

    def whole(self) -> bytes | None:
        """The bytes of the message, once all of it is there. Raises: h11.ProtocolError."""
        if self.connection is None or self._given == len(self.held):
            return None
        self.connection.receive_data(bytes(self.held[self._given :]))
        self._given = len(self.held)
        while True:
            event = self.connection.next_event()
            if isinstance(event, h11.EndOfMessage):
                rest, _ = self.connection.trailing_data
                return self._cut(len(self.held) - len(rest))
            if isinstance(event, h11.Request | h11.Response | h11.InformationalResponse):
                self.head = event
            if event in (h11.NEED_DATA, h11.PAUSED):
                return None

    def all(self) -> bytes:
        """All that is held."""
        return self._cut(len(self.held))

    def _cut(self, end: int) -> bytes:
        raw = bytes(self.held[:end])
        del self.held[:end]
        return raw


def _asking(method: str) -> h11.Connection:
    """A client that has asked by this method: how long an answer is goes by it, too."""
    connection = h11.Connection(h11.CLIENT)
    headers = [("Host", "any"), ("Connection", "upgrade"), ("Upgrade", "any")]  # So that 101 is an answer, and no mistake.
    connection.send(h11.Request(method=method, target="/", headers=headers))
    connection.send(h11.EndOfMessage())
    return connection


def _has_no_end(method: str, head: h11.Event | None) -> bool:
    """Whether an answer ends only with its connection (RFC 9112, 6.3)."""
    if not isinstance(head, h11.Response) or method == "HEAD" or head.status_code in (204, 304):
        return False
    names = {name for name, _ in head.headers}
    return not names & {b"content-length", b"transfer-encoding"}
