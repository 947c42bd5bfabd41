"""RESP2 and RESP3, the protocol of Redis and its kin: commands (also inline ones), replies, pipelines, MULTI/EXEC, pushes.

Replies name no command; the n-th reply answers the n-th command, but for pushes (pub/sub, invalidations).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from jobharness.wire.message import Direction, Message, printable
from jobharness.wire.stream import Stream

__all__ = ["Resp"]

LINE_AT_MOST = 64 * 1024
SHOWN_VALUES = 8
SHOWN_OF_VALUE = 40
SECRET = frozenset(("AUTH", "HELLO", "ACL", "CONFIG"))
ITEMS_AT_MOST = 1 << 24
STAR, DOLLAR = b"*$"
LINES = frozenset(b"+-:,#_(")
BULKS = frozenset(b"$=!")
LISTS = frozenset(b"*~>")
PUSH, MAP, ATTRIBUTE = b">%|"
SUBSCRIBING = frozenset(("SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE"))
PUSHED = frozenset((b"message", b"pmessage", b"smessage", *(name.lower().encode() for name in SUBSCRIBING)))

# What Redis 7.0 and Valkey answer to COMMAND LIST, and what came later.
COMMANDS = frozenset(
    """
    acl append asking auth bgrewriteaof bgsave bitcount bitfield bitfield_ro bitop bitpos blmove blmpop blpop brpop
    brpoplpush bzmpop bzpopmax bzpopmin client cluster command config copy dbsize debug decr decrby del discard dump echo
    eval eval_ro evalsha evalsha_ro exec exists expire expireat expiretime failover fcall fcall_ro flushall flushdb function
    geoadd geodist geohash geopos georadius georadius_ro georadiusbymember georadiusbymember_ro geosearch geosearchstore get
    getbit getdel getex getrange getset hdel hello hexists hget hgetall hincrby hincrbyfloat hkeys hlen hmget hmset
    hrandfield hscan hset hsetnx hstrlen hvals incr incrby incrbyfloat info keys lastsave latency lcs lindex linsert llen
    lmove lmpop lolwut lpop lpos lpush lpushx lrange lrem lset ltrim memory mget migrate module monitor move mset msetnx
    multi object persist pexpire pexpireat pexpiretime pfadd pfcount pfdebug pfmerge pfselftest ping psetex psubscribe psync
    pttl publish pubsub punsubscribe quit randomkey readonly readwrite rename renamenx replconf replicaof reset restore
    restore-asking role rpop rpoplpush rpush rpushx sadd save scan scard script sdiff sdiffstore select set setbit setex
    setnx setrange shutdown sinter sintercard sinterstore sismember slaveof slowlog smembers smismember smove sort sort_ro
    spop spublish srandmember srem sscan ssubscribe strlen subscribe substr sunion sunionstore sunsubscribe swapdb sync time
    touch ttl type unlink unsubscribe unwatch wait watch xack xadd xautoclaim xclaim xdel xgroup xinfo xlen xpending xrange
    xread xreadgroup xrevrange xsetid xtrim zadd zcard zcount zdiff zdiffstore zincrby zinter zintercard zinterstore
    zlexcount zmpop zmscore zpopmax zpopmin zrandmember zrange zrangebylex zrangebyscore zrangestore zrank zrem
    zremrangebylex zremrangebyrank zremrangebyscore zrevrange zrevrangebylex zrevrangebyscore zrevrank zscan zscore zunion
    zunionstore
    hexpire hpexpire httl hpttl hpersist hgetdel hgetex hsetex xackdel xdelex
    """.split()  # noqa: SIM905  # a list of this length is for reading, one name a line is not
)


class Garbage(Exception):
    """These bytes are not RESP. The text says why."""


class Resp:
    """Frames one connection to a Redis server."""

    commands = COMMANDS

    def __init__(self) -> None:
        self.lost = ""
        self._streams = (Stream(), Stream())
        self._number = 0
        self._open: deque[Message] = deque()  # Commands whose reply has not come.
        self._transaction: list[Message] | None = None
        self._subscribed = False
        self._unanswered: int | None = 0  # Commands to come that get no reply; None: all of them.
        # Where the scan of the next message stands: offset, items left, where its arguments are.
        self._at = [0, 0]
        self._left = [0, 1]
        self._spans: list[tuple[int, int]] = []

    def feed(self, direction: Direction, data: bytes) -> list[Message]:
        """Take in bytes; returns the messages that they complete."""
        stream = self._streams[direction]
        whole = stream.take(data)
        if whole is None:
            return []
        messages: list[Message] = []
        start, need = 0, 0
        scan = self._reply_end if direction else self._command_end
        try:
            while start < len(whole):
                end = scan(whole, start)
                if end < 0:
                    need = -end - start
                    break
                raw = whole[start:end] if start or end < len(whole) else whole
                messages.append(self._reply(raw) if direction else self._command(raw))
                start = end
        except Garbage as garbage:
            self.lost = str(garbage)
        stream.keep(whole[start:] if start else whole, need)
        return messages

    def rest(self, direction: Direction) -> bytes:
        """What was fed and is not yet part of a whole message."""
        return self._streams[direction].held()

    # Both scans return the end of the message that begins at `start`, or minus the length that is needed to go on.
    # Offsets kept between calls count from the message's first byte.

    def _command_end(self, data: bytes, start: int) -> int:
        at, left, spans = start + self._at[0], self._left[0], self._spans
        if at == start:
            spans.clear()
            line = _line_end(data, at, b"\n" if data[at] != STAR else b"\r\n")
            if line < 0:
                return -len(data) - 1
            if data[at] != STAR:
                return _inline(data, at, line, spans)
            left = _count(data, at, line)
            at = line + 2
        size = len(data)
        while left > 0:
            line = _line_end(data, at, b"\r\n")
            if line < 0:
                return self._pause(0, at - start, left, -size - 1)
            if data[at] != DOLLAR:
                raise Garbage(f"a command's argument begins with {data[at : at + 1]!r}")
            first = line + 2
            end = first + _count(data, at, line)
            if end + 2 > size:
                return self._pause(0, at - start, left, -end - 2)
            spans.append((first - start, end - start))
            at, left = end + 2, left - 1
        self._at[0], self._left[0] = 0, 0
        return at

    def _reply_end(self, data: bytes, start: int) -> int:
        at, left, size = start + self._at[1], self._left[1], len(data)
        while left > 0:
            line = _line_end(data, at, b"\r\n")
            if line < 0:
                return self._pause(1, at - start, left, -size - 1)
            kind, after = data[at], line + 2
            if kind in BULKS:
                length = _count(data, at, line)
                if length >= 0:
                    after += length + 2
                    if after > size:
                        return self._pause(1, at - start, left, -after)
            elif kind in LISTS:
                left += max(0, _count(data, at, line))
            elif kind == MAP:
                left += 2 * _count(data, at, line)
            elif kind == ATTRIBUTE:
                # An attribute goes before the value that it is about, and counts for nothing itself.
                left += 2 * _count(data, at, line) + 1
            elif kind not in LINES:
                raise Garbage(f"a reply begins with {data[at : at + 1]!r}")
            at, left = after, left - 1
        self._at[1], self._left[1] = 0, 1
        return at

    def _pause(self, way: int, at: int, left: int, need: int) -> int:
        self._at[way], self._left[way] = at, left
        return need

    def _command(self, raw: bytes) -> Message:
        spans = self._spans
        name = raw[spans[0][0] : spans[0][1]].upper().decode("ascii", "replace") if spans else ""
        self._number += 1
        message = Message(Direction.TO_BROKER, name, raw, self._number)
        if name == "MULTI":
            self._transaction = [message]
        elif self._transaction is not None:
            self._in_transaction(message)
        if name == "CLIENT":
            self._client_reply(raw)
        if name in SUBSCRIBING:
            self._subscribed = True
        elif self._unanswered:
            self._unanswered -= 1
        elif self._unanswered == 0 and name:
            self._open.append(message)
        return message

    def _in_transaction(self, message: Message) -> None:
        transaction = self._transaction
        assert transaction is not None
        if message.command in ("EXEC", "DISCARD"):
            message.context = b"".join(inner.raw for inner in transaction)
            message.also = tuple(inner.command for inner in transaction[1:])
            self._transaction = None
        else:
            transaction.append(message)

    def _client_reply(self, raw: bytes) -> None:
        words = [raw[first:last].upper() for first, last in self._spans[1:3]]
        if words[:1] == [b"REPLY"] and len(words) == 2:
            self._unanswered = {b"ON": 0, b"OFF": None, b"SKIP": 2}.get(words[1], 0)

    def _reply(self, raw: bytes) -> Message:
        pushed = _pushed(raw) if raw[0] == PUSH or (self._subscribed and raw[0] == STAR) else None
        if pushed is not None or not self._open:
            return Message(Direction.FROM_BROKER, pushed or "", raw)
        command = self._open.popleft()
        return Message(
            Direction.FROM_BROKER, command.command, raw, 0, command.number, command.also, command.raw + command.context
        )  # fmt: skip

    def repeat(self, message: Message) -> tuple[bytes, tuple[int, ...]]:
        """Send it again: a transaction as a whole, with all its replies kept from the client."""
        count = 1 + (len(message.also) + 1 if message.context else 0)
        at = next((index for index, one in enumerate(self._open) if one.number == message.number), None)
        if at is None:
            return message.context + message.raw, ()
        numbers = []
        for offset in range(count):
            self._number += 1
            again = Message(message.direction, message.command, message.raw, self._number)
            self._open.insert(at + 1 + offset, again)
            numbers.append(self._number)
        return message.context + message.raw, tuple(numbers)

    def withdraw(self, message: Message) -> tuple[bytes, tuple[int, ...]]:
        """No reply will come for it. Where a transaction is not committed, the server must still leave it."""
        if message.command == "EXEC" and message.context:
            return b"*1\r\n$7\r\nDISCARD\r\n", (message.number,)
        for one in self._open:
            if one.number == message.number:
                self._open.remove(one)
                break
        return b"", ()

    def describe(self, message: Message) -> str:
        """Such as "ZADD unacked_index 1763… 6f…", "reply to BRPOP: celery {…}"."""
        words = " ".join(printable(value, SHOWN_OF_VALUE) for value in self.values(message)[:SHOWN_VALUES])
        if message.command in SECRET and not message.is_reply:
            return f"{message.command} ***"
        if message.is_reply:
            return f"reply to {message.command}: {words}" if message.of else f"push {message.command}: {words}"
        return f"{words} of [{', '.join(message.also)}]" if message.context else words

    def values(self, message: Message) -> list[bytes]:
        """The arguments of a command, or the strings and numbers of a reply."""
        return list(_values(message.raw))


def _line_end(data: bytes, at: int, ending: bytes) -> int:
    end = data.find(ending, at)
    if (end if end >= 0 else len(data)) - at > LINE_AT_MOST:
        raise Garbage(f"a line is longer than {LINE_AT_MOST} bytes")
    return end


def _count(data: bytes, at: int, line: int) -> int:
    try:
        count = int(data[at + 1 : line])
    except ValueError:
        raise Garbage(f"a length reads {data[at + 1 : line][:20]!r}") from None
    if count > ITEMS_AT_MOST * 64:
        raise Garbage(f"a length of {count} is more than any server takes")
    return count


def _inline(data: bytes, at: int, line: int, spans: list[tuple[int, int]]) -> int:
    words = data[at:line].split()
    if words and not words[0].isalnum():
        raise Garbage(f"a command begins with {data[at : at + 1]!r}")
    place = at
    for word in words:
        first = data.index(word, place)
        spans.append((first - at, first - at + len(word)))
        place = first + len(word)
    return line + 1


def _pushed(raw: bytes) -> str | None:
    first = next(_values(raw), b"").lower()
    return first.decode("ascii", "replace") if raw[0] == PUSH or first in PUSHED else None


def _values(raw: bytes) -> Iterator[bytes]:
    """The strings and numbers of a message, in order."""
    at = 0
    if raw[:1] not in b"*$+-:,#_(=!~>%|":
        yield from raw.split()
        return
    while at < len(raw):
        line = raw.find(b"\r\n", at)
        if line < 0:
            return
        if raw[at] in BULKS:
            length = max(0, int(raw[at + 1 : line]))
            yield raw[line + 2 : line + 2 + length]
            at = line + 2 + (length + 2 if raw[at + 1 : line] != b"-1" else 0)
        else:
            if raw[at] in LINES:
                yield raw[at + 1 : line]
            at = line + 2
