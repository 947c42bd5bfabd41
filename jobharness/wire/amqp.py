"""AMQP 0-9-1, the protocol of RabbitMQ: methods with their content (header and body), and heartbeats.

A message is a method frame, with its content frames where it has content. Should contents of two channels ever be
interleaved, which no known peer does, all of it is one message, named by its first method.

What belongs together: a delivery and its acknowledgement have the same delivery tag, within a channel; a publish in confirm
mode is confirmed by its place in the order of publishing. When a publish is lost or repeated on its way, the broker's
count differs from the client's, and confirmations are renumbered.
"""

from __future__ import annotations

import struct
from collections import defaultdict, deque

from jobharness.wire.message import Direction, Message
from jobharness.wire.stream import Stream

__all__ = ["Amqp"]

GREETING = b"AMQP"
GREETING_BYTES = 8
FRAME = struct.Struct(">BHI")  # type, channel, payload bytes; then the payload and END
FRAME_BYTES = 7
END = 0xCE
METHOD, HEADER, BODY, HEARTBEAT = 1, 2, 3, 8
FRAME_AT_MOST = 1 << 27
TAG = struct.Struct(">Q")

METHODS = {
    10: ("connection", {10: "start", 11: "start-ok", 20: "secure", 21: "secure-ok", 30: "tune", 31: "tune-ok", 40: "open",
                        41: "open-ok", 50: "close", 51: "close-ok", 60: "blocked", 61: "unblocked", 70: "update-secret",
                        71: "update-secret-ok"}),
    20: ("channel", {10: "open", 11: "open-ok", 20: "flow", 21: "flow-ok", 40: "close", 41: "close-ok"}),
    40: ("exchange", {10: "declare", 11: "declare-ok", 20: "delete", 21: "delete-ok", 30: "bind", 31: "bind-ok", 40: "unbind",
                      51: "unbind-ok"}),
    50: ("queue", {10: "declare", 11: "declare-ok", 20: "bind", 21: "bind-ok", 30: "purge", 31: "purge-ok", 40: "delete",
                   41: "delete-ok", 50: "unbind", 51: "unbind-ok"}),
    60: ("basic", {10: "qos", 11: "qos-ok", 20: "consume", 21: "consume-ok", 30: "cancel", 31: "cancel-ok", 40: "publish",
                   50: "return", 60: "deliver", 70: "get", 71: "get-ok", 72: "get-empty", 80: "ack", 90: "reject",
                   100: "recover-async", 110: "recover", 111: "recover-ok", 120: "nack"}),
    85: ("confirm", {10: "select", 11: "select-ok"}),
    90: ("tx", {10: "select", 11: "select-ok", 20: "commit", 21: "commit-ok", 30: "rollback", 31: "rollback-ok"}),
}  # fmt: skip
NAMES = {(major, minor): f"{noun}.{verb}" for major, (noun, verbs) in METHODS.items() for minor, verb in verbs.items()}
WITH_CONTENT = frozenset(((60, 40), (60, 50), (60, 60), (60, 71)))
SETTLING = frozenset(("basic.ack", "basic.nack", "basic.reject"))


class Garbage(Exception):
    """These bytes are not AMQP. The text says why."""


class _Channel:
    """What is under way on one channel."""

    def __init__(self) -> None:
        self.asked: deque[Message] = deque()  # Commands that are answered by a method of their own.
        self.delivered: dict[int, None] = {}  # Delivery tags that are not settled, in order.
        self.confirms = False
        self.published: list[tuple[int, Message]] = []  # By the broker's count: the client's count, and the publish.
        self.count = 0
        self.renumbered = False


class Amqp:
    """Frames one connection to an AMQP broker."""

    commands = frozenset((*NAMES.values(), "heartbeat", "greeting"))

    def __init__(self) -> None:
        self.lost = ""
        self._streams = (Stream(), Stream())
        self._number = 0
        self._channels: defaultdict[int, _Channel] = defaultdict(_Channel)

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
                end, names, channel = _scan(whole, start)
                if end < 0:
                    need = -end
                    break
                raw = whole[start:end] if start or end < len(whole) else whole
                messages.append(self._message(direction, raw, names, channel))
                start = end
        except Garbage as garbage:
            self.lost = str(garbage)
        stream.keep(whole[start:] if start else whole, need)
        return messages

    def rest(self, direction: Direction) -> bytes:
        """What was fed and is not yet part of a whole message."""
        return self._streams[direction].held()

    def _message(self, direction: Direction, raw: bytes, names: list[str], channel: int) -> Message:
        message = Message(direction, names[0], raw, 0, 0, tuple(names[1:]), channel=channel)
        if direction is Direction.TO_BROKER:
            self._number += 1
            message.number = self._number
            self._sent(message, self._channels[channel])
        else:
            self._received(message, self._channels[channel])
        return message

    def _sent(self, message: Message, channel: _Channel) -> None:
        name = message.command
        if name == "basic.publish":
            if channel.confirms:
                channel.count += 1
                channel.published.append((channel.count, message))
                message.tokens = (b"publish %d %d" % (message.channel, channel.count),)
        elif name in SETTLING:
            tag, multiple = _settled(message)
            tags = [tag]
            if multiple:
                tags = [one for one in channel.delivered if one <= tag or tag == 0]
            message.tokens = tuple(_delivery(message.channel, one) for one in tags)
            for one in tags:
                channel.delivered.pop(one, None)
        elif name == "channel.open":
            self._channels[message.channel] = _Channel()
            self._channels[message.channel].asked.append(message)
        elif name not in ("heartbeat", "greeting") and not name.endswith("-ok"):
            channel.confirms = channel.confirms or name == "confirm.select"
            channel.asked.append(message)

    def _received(self, message: Message, channel: _Channel) -> None:
        name = message.command
        if name == "basic.deliver":
            self._delivered(message, channel, _tag_after_name(message.raw))
            return
        if name in ("basic.ack", "basic.nack"):
            self._confirmed(message, channel)
            return
        asked = "basic.get" if name in ("basic.get-ok", "basic.get-empty") else name.removesuffix("-ok")
        if asked != name and any(one.command == asked for one in channel.asked):
            # Those before it had asked for no answer (no-wait).
            while channel.asked:
                command = channel.asked.popleft()
                if command.command == asked:
                    message.of, message.also, message.context = command.number, (*message.also, asked), command.raw
                    break
        if name == "basic.get-ok":
            self._delivered(message, channel, TAG.unpack_from(message.raw, FRAME_BYTES + 4)[0])

    def _delivered(self, message: Message, channel: _Channel, tag: int) -> None:
        channel.delivered[tag] = None
        message.tokens = (_delivery(message.channel, tag),)

    def _confirmed(self, message: Message, channel: _Channel) -> None:
        tag, multiple = _settled(message)
        if not 0 < tag <= len(channel.published):
            return
        count, publish = channel.published[tag - 1]
        message.of, message.also = publish.number, (*message.also, "basic.publish")
        message.context, message.tokens = publish.raw, (b"publish %d %d" % (message.channel, count),)
        if multiple and publish.command != "basic.publish":
            message.of = 0  # It confirms others too, so it must be seen; see `repeat`.
        if channel.renumbered:
            at = FRAME_BYTES + 4
            message.raw = message.raw[:at] + TAG.pack(count) + message.raw[at + TAG.size :]

    def repeat(self, message: Message) -> tuple[bytes, tuple[int, ...]]:
        """Send it again; the second confirmation, if there is one, is the broker's alone."""
        channel = self._channels[message.channel]
        for place, (count, publish) in enumerate(channel.published):
            if publish is message:
                self._number += 1
                again = Message(message.direction, "repeated", message.raw, self._number, channel=message.channel)
                channel.published.insert(place + 1, (count, again))
                channel.renumbered = True
                return message.raw, (again.number,)
        return message.raw, ()

    def withdraw(self, message: Message) -> tuple[bytes, tuple[int, ...]]:
        """It is not answered; publishes after it are confirmed by the client's count."""
        channel = self._channels[message.channel]
        for place, (_, publish) in enumerate(channel.published):
            if publish is message:
                del channel.published[place]
                channel.renumbered = True
                break
        if message in channel.asked:
            channel.asked.remove(message)
        return b"", ()

    def describe(self, message: Message) -> str:
        """Such as "basic.publish to exchange '' key 'celery'", "basic.ack 5"."""
        name, raw = message.command, message.raw
        if name == "basic.publish":
            exchange, after = _short(raw, FRAME_BYTES + 6)
            return f"{name} to exchange {exchange!r} key {_short(raw, after)[0]!r}"
        if name == "basic.deliver":
            after = _short(raw, FRAME_BYTES + 4)[1]
            exchange, end = _short(raw, after + 9)
            return f"{name} {_tag_after_name(raw)} from exchange {exchange!r} key {_short(raw, end)[0]!r}"
        if name in SETTLING:
            tag, multiple = _settled(message)
            return f"{name} {'up to ' if multiple else ''}{tag}"
        return name

    def values(self, message: Message) -> list[bytes]:
        """None: ids in AMQP are strings long enough to be searched for."""
        return []


def _scan(data: bytes, start: int) -> tuple[int, list[str], int]:
    """`(end, names of its methods, channel)` of the message at `start`, or minus the length that is needed to go on."""
    if data[start] == GREETING[0]:
        greeting = data[start : start + 4]
        if greeting != GREETING[: len(greeting)]:
            raise Garbage(f"a frame begins with {greeting!r}")
        end = start + GREETING_BYTES
        return (end, ["greeting"], 0) if end <= len(data) else (-GREETING_BYTES, [], 0)
    names: list[str] = []
    contents: dict[int, int | None] = {}  # By channel: bytes of the body to come, None before the header said.
    at, size, first_channel = start, len(data), -1
    while not names or contents:
        if at + FRAME_BYTES > size:
            return -(at - start + FRAME_BYTES), [], 0
        kind, channel, length = FRAME.unpack_from(data, at)
        if kind not in (METHOD, HEADER, BODY, HEARTBEAT) or length > FRAME_AT_MOST:
            raise Garbage(f"a frame begins with {data[at : at + FRAME_BYTES]!r}")
        end = at + FRAME_BYTES + length + 1
        if end > size:
            return -(end - start), [], 0
        if data[end - 1] != END:
            raise Garbage(f"a frame of {length} bytes does not end with 0xCE")
        _take_frame(data, at + FRAME_BYTES, (kind, channel, length), names, contents)
        first_channel = channel if first_channel < 0 else first_channel
        at = end
    return at, names, first_channel


def _take_frame(data: bytes, at: int, frame: tuple[int, int, int], names: list[str], contents: dict[int, int | None]) -> None:
    kind, channel, length = frame
    if kind == HEARTBEAT:
        names.append("heartbeat")
    elif kind == METHOD:
        if length < 4 or channel in contents:
            raise Garbage("a method comes where it cannot be")
        numbers = struct.unpack_from(">HH", data, at)
        if numbers not in NAMES:
            raise Garbage(f"there is no method {numbers[0]}.{numbers[1]}")
        names.append(NAMES[numbers])
        if numbers in WITH_CONTENT:
            contents[channel] = None
    elif kind == HEADER:
        if channel not in contents or contents[channel] is not None or length < 14:
            raise Garbage("a content header comes without its method")
        contents[channel] = TAG.unpack_from(data, at + 4)[0]
    else:
        left = contents.get(channel)
        if left is None or length > left:
            raise Garbage("a body comes without its header")
        contents[channel] = left - length
    if contents.get(channel) == 0:
        del contents[channel]


def _settled(message: Message) -> tuple[int, bool]:
    """The delivery tag of an ack, nack or reject, and whether it means all up to there."""
    (tag,) = TAG.unpack_from(message.raw, FRAME_BYTES + 4)
    multiple = message.command != "basic.reject" and bool(message.raw[FRAME_BYTES + 12] & 1)
    return tag, multiple


def _tag_after_name(raw: bytes) -> int:
    """The delivery tag of a basic.deliver: it stands after the consumer's name."""
    return int(TAG.unpack_from(raw, _short(raw, FRAME_BYTES + 4)[1])[0])


def _short(raw: bytes, at: int) -> tuple[str, int]:
    """A short string and where it ends."""
    end = at + 1 + raw[at]
    return raw[at + 1 : end].decode("utf-8", "replace"), end


def _delivery(channel: int, tag: int) -> bytes:
    return b"delivery %d %d" % (channel, tag)
