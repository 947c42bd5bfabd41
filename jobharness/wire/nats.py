"""The NATS client protocol: lines, some with a payload of a given size. JetStream is messages on subjects of its own.

A publish to `$JS.ACK…` is an acknowledgement and answers to `ack`, `nak`, `progress` or `term` by its payload; one that asks for
the next messages of a consumer answers to `fetch`.
"""

from __future__ import annotations

from collections import OrderedDict, deque

from jobharness.wire.message import Direction, Message, printable
from jobharness.wire.stream import Stream

__all__ = ["Nats"]

LINE_AT_MOST = 64 * 1024
PAYLOAD_AT_MOST = 1 << 28
ASKED_AT_MOST = 1024  # Requests without an answer so far, that are remembered.
SENT = frozenset((b"CONNECT", b"PUB", b"HPUB", b"SUB", b"UNSUB", b"PING", b"PONG"))
RECEIVED = frozenset((b"INFO", b"MSG", b"HMSG", b"PING", b"PONG", b"+OK", b"-ERR"))
WITH_PAYLOAD = frozenset((b"PUB", b"HPUB", b"MSG", b"HMSG"))
ACKNOWLEDGEMENTS = {b"": "ack", b"+ACK": "ack", b"+NXT": "ack", b"-NAK": "nak", b"+WPI": "progress", b"+TERM": "term"}
ACK_SUBJECT, FETCH_SUBJECT = b"$JS.ACK.", b"$JS.API.CONSUMER.MSG.NEXT."


class Garbage(Exception):
    """These bytes are not the NATS protocol. The text says why."""


class Nats:
    """Frames one connection to a NATS server."""

    commands = frozenset(
        (*(name.decode().lower() for name in SENT | RECEIVED), *ACKNOWLEDGEMENTS.values(), "fetch", "publish")
    )  # fmt: skip

    def __init__(self) -> None:
        self.lost = ""
        self._streams = (Stream(), Stream())
        self._number = 0
        self._asked: OrderedDict[bytes, Message] = OrderedDict()  # By the subject that the answer comes to.
        self._pings: deque[Message] = deque()

    def feed(self, direction: Direction, data: bytes) -> list[Message]:
        """Take in bytes; returns the messages that they complete."""
        stream = self._streams[direction]
        whole = stream.take(data)
        if whole is None:
            return []
        messages: list[Message] = []
        start, need = 0, 0
        try:
            while start < len(whole):
                end, words = _scan(whole, start, RECEIVED if direction else SENT)
                if end < 0:
                    need = -end
                    break
                raw = whole[start:end] if start or end < len(whole) else whole
                messages.append(self._received(raw, words) if direction else self._sent(raw, words))
                start = end
        except Garbage as garbage:
            self.lost = str(garbage)
        stream.keep(whole[start:] if start else whole, need)
        return messages

    def rest(self, direction: Direction) -> bytes:
        """What was fed and is not yet part of a whole message."""
        return self._streams[direction].held()

    def _sent(self, raw: bytes, words: list[bytes]) -> Message:
        self._number += 1
        name = words[0].upper()
        message = Message(Direction.TO_BROKER, name.decode(), raw, self._number)
        if name in (b"PUB", b"HPUB"):
            subject = words[1]
            message.also = ("publish",)
            if subject.startswith(ACK_SUBJECT):
                message.also, message.command = (message.command,), _acknowledgement(raw, words)
                message.tokens = (subject,)
            elif subject.startswith(FETCH_SUBJECT):
                message.also, message.command = (message.command,), "fetch"
            if len(words) == (4 if name == b"PUB" else 5):
                self._asked[words[2]] = message
                if len(self._asked) > ASKED_AT_MOST:
                    self._asked.popitem(last=False)
        elif name == b"PING":
            self._pings.append(message)
        return message

    def _received(self, raw: bytes, words: list[bytes]) -> Message:
        name = words[0].upper()
        message = Message(Direction.FROM_BROKER, name.decode(), raw)
        asked = None
        if name in WITH_PAYLOAD:
            asked = self._asked.get(words[1])
        elif name == b"PONG" and self._pings:
            asked = self._pings.popleft()
        if asked is not None:
            message.of, message.also, message.context = asked.number, (asked.command, *asked.also), asked.raw
        return message

    def repeat(self, message: Message) -> tuple[bytes, tuple[int, ...]]:
        """Send it again; the client knows itself what to do with a second answer to a request."""
        return message.raw, ()

    def withdraw(self, message: Message) -> tuple[bytes, tuple[int, ...]]:
        """It is not answered."""
        if message in self._pings:
            self._pings.remove(message)
        return b"", ()

    def describe(self, message: Message) -> str:
        """The line, and how the payload begins."""
        if message.command in ("CONNECT", "INFO"):
            return f"{message.command} ***"
        line, _, payload = message.raw.partition(b"\r\n")
        return f"{message.command + ': ' if message.command.islower() else ''}{printable(line)} {printable(payload, 40)}".strip()

    def values(self, message: Message) -> list[bytes]:
        """The words of the line, and the payload."""
        line, _, payload = message.raw.partition(b"\r\n")
        return [*line.split(), payload.removesuffix(b"\r\n")]


def _scan(data: bytes, start: int, known: frozenset[bytes]) -> tuple[int, list[bytes]]:
    """`(end, words of the line)` of the message at `start`, or minus the length that is needed to go on."""
    line = data.find(b"\r\n", start)
    if (line if line >= 0 else len(data)) - start > LINE_AT_MOST:
        raise Garbage(f"a line is longer than {LINE_AT_MOST} bytes")
    if line < 0:
        head = data[start : start + 8].upper()
        if len(head) == 8 and not any(head.startswith(name) for name in known):
            raise Garbage(f"a line begins with {head!r}")
        return -(len(data) - start + 1), []
    # A JSON argument is not taken apart.
    words = data[start:line].split(None, 1) if data[start : start + 1].upper() in b"CI" else data[start:line].split()
    name = words[0].upper() if words else b""
    if name not in known:
        raise Garbage(f"a line begins with {data[start : start + 20]!r}")
    end = line + 2
    if name in WITH_PAYLOAD:
        if len(words) < (3 if name == b"PUB" else 4) or not words[-1].isdigit() or int(words[-1]) > PAYLOAD_AT_MOST:
            raise Garbage(f"a line reads {data[start:line][:80]!r}")
        end += int(words[-1]) + 2
        if end > len(data):
            return -(end - start), []
        if data[end - 2 : end] != b"\r\n":
            raise Garbage("a payload does not end where its line said")
    return end, words


def _acknowledgement(raw: bytes, words: list[bytes]) -> str:
    payload = raw[-int(words[-1]) - 2 : -2]
    if words[0].upper() == b"HPUB":
        payload = payload[int(words[-2]) :]
    return ACKNOWLEDGEMENTS.get(payload.split(None, 1)[0] if payload else b"", "ack")
