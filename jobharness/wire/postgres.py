"""PostgreSQL's protocol, version 3: start-up, simple and extended query, COPY.

A message to the server is one simple query, or all of an extended query up to its Sync or Flush (Parse, Bind, Describe,
Execute …; asyncpg sends Parse, Describe, Flush first and Bind, Execute, Sync then): the server does nothing that anybody
could see before. It is named by the SQL that it executes: `COMMIT`, `SELECT`, and `PREPARE` where it only parses. A reply is each
single message from the server, named by what it answers, and also by its own name, such as `DataRow`.
"""

from __future__ import annotations

import re
import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from jobharness.wire.message import Direction, Message, printable
from jobharness.wire.stream import Stream

__all__ = ["Postgres"]

LENGTH = struct.Struct(">I")
SIZE = struct.Struct(">i")
COUNT = struct.Struct(">h")
ARRAY = struct.Struct(">5I")  # Dimensions, whether there are nulls, type, elements, lower bound.
ENCRYPTION = {80877103: "SSLRequest", 80877104: "GSSENCRequest"}
CANCEL, PROTOCOL_3 = 80877102, 3
STARTUP_AT_MOST, MESSAGE_AT_MOST = 10_000, 1 << 30
TRANSACTION_AT_MOST = 1 << 20  # Bytes of a transaction that are kept to know what its COMMIT commits.

EXTENDED = frozenset(b"PBDEC")
SENT = {
    **dict.fromkeys(b"PBDEC", "Extended"),
    **dict(
        zip(
            b"QSHXpdcfF",
            ["Query", "Sync", "Flush", "Terminate", "Password", "CopyData", "CopyDone", "CopyFail", "FunctionCall"],
            strict=True,
        )
    ),
}
RECEIVED = dict(zip(b"RSKZTDC123nsIENAGHWdctVv", (
    "Authentication", "ParameterStatus", "BackendKeyData", "ReadyForQuery", "RowDescription", "DataRow", "CommandComplete",
    "ParseComplete", "BindComplete", "CloseComplete", "NoData", "PortalSuspended", "EmptyQueryResponse", "ErrorResponse",
    "NoticeResponse", "Notification", "CopyInResponse", "CopyOutResponse", "CopyBothResponse", "CopyData", "CopyDone",
    "ParameterDescription", "FunctionCallResponse", "NegotiateProtocolVersion"), strict=True))  # fmt: skip
ENDS = frozenset(b"123TnCIsE")  # Each part of an extended query is answered by one of these, whatever comes besides.
UNASKED = frozenset(b"AS")
OPENING, CLOSING = frozenset(("BEGIN", "START")), frozenset(("COMMIT", "END", "ROLLBACK", "ABORT"))
WORDS = frozenset(
    """ABORT ALTER ANALYZE BEGIN CALL CLOSE COMMIT COPY CREATE DEALLOCATE DECLARE DELETE DISCARD DO DROP END EXECUTE EXPLAIN
    FETCH INSERT LISTEN LOCK MERGE NOTIFY PREPARE REINDEX RELEASE RESET ROLLBACK SAVEPOINT SELECT SET SHOW START TRUNCATE
    UNLISTEN UPDATE VACUUM VALUES WITH""".split()  # noqa: SIM905  # for reading
)
_FIRST_WORD = re.compile(rb"(?:\s|--[^\n]*\n|/\*.*?\*/|\()*([A-Za-z]+)", re.S)
_LITERALS = re.compile(rb"'((?:[^']|'')*)'|(?<![\w.])(\d+)(?![\w.])")


class Garbage(Exception):
    """These bytes are not PostgreSQL's protocol. The text says why."""


@dataclass
class _Asked:
    """A message to the server whose answer is not complete. `parts`: how many ENDS are to come; None: until ReadyForQuery."""

    message: Message
    parts: int | None


@dataclass
class _Group:
    """The extended query that is being sent: the SQL it executes, in order, and how many parts are answered."""

    executed: list[bytes] = field(default_factory=list)
    parsed: list[bytes] = field(default_factory=list)
    parts: int = 0


class Postgres:
    """Frames one connection to a PostgreSQL server."""

    commands = frozenset(
        name.lower() for name in (*WORDS, *SENT.values(), *RECEIVED.values(), "Startup", "Cancel", *ENCRYPTION.values()) if name
    )

    def __init__(self) -> None:
        self.lost = ""
        self._streams = (Stream(), Stream())
        self._number = 0
        self._started = False
        self._single_bytes = 0  # Answers of one byte that are to come, to a wish for encryption.
        self._asked: deque[_Asked] = deque()
        self._statements: dict[bytes, bytes] = {}
        self._portals: dict[bytes, bytes] = {}
        self._transaction: list[bytes] | None = None
        self._transaction_bytes = 0

    def feed(self, direction: Direction, data: bytes) -> list[Message]:
        """Take in bytes; returns the messages that they complete."""
        stream = self._streams[direction]
        whole = stream.take(data)
        if whole is None:
            return []
        messages: list[Message] = []
        start, need = 0, 0
        take = self._take_reply if direction else self._take_command
        try:
            while start < len(whole):
                end = take(whole, start, messages)
                if end < 0:
                    need = -end
                    break
                start = end
        except Garbage as garbage:
            self.lost = str(garbage)
        stream.keep(whole[start:] if start else whole, need)
        return messages

    def rest(self, direction: Direction) -> bytes:
        """What was fed and is not yet part of a whole message."""
        return self._streams[direction].held()

    # What the client sends. Both `_take` methods return the end of the message, or minus the length that is needed.

    def _take_command(self, data: bytes, start: int, messages: list[Message]) -> int:
        if not self._started:
            return self._take_startup(data, start, messages)
        at, group = start, _Group()
        while True:
            end = _typed_end(data, at, SENT)
            if end < 0:
                return end - (at - start)
            kind = data[at]
            if kind in EXTENDED:
                self._look(data, at, end, group)
                at = end
                continue
            if kind in b"SH":
                messages.append(self._extended(data[start:end], group, ends=kind == ord("S")))
                return end
            if at > start:
                # Something else comes before Sync or Flush: what there is stands for itself.
                messages.append(self._extended(data[start:at], group, ends=False))
                return at
            messages.append(self._single(data[start:end], kind))
            return end

    def _take_startup(self, data: bytes, start: int, messages: list[Message]) -> int:
        if len(data) - start < 8:
            return -8
        length, code = LENGTH.unpack_from(data, start)[0], LENGTH.unpack_from(data, start + 4)[0]
        if not 8 <= length <= STARTUP_AT_MOST or (code not in ENCRYPTION and code != CANCEL and code >> 16 != PROTOCOL_3):
            raise Garbage(f"a connection begins with {data[start : start + 8]!r}")
        if start + length > len(data):
            return -int(length)
        if code in ENCRYPTION:
            self._single_bytes += 1
        self._started = code >> 16 == PROTOCOL_3
        name = ENCRYPTION.get(code, "Cancel" if code == CANCEL else "Startup")
        messages.append(self._numbered(data[start : start + length], name))
        return start + int(length)

    def _numbered(self, raw: bytes, name: str, also: tuple[str, ...] = (), context: bytes = b"") -> Message:
        self._number += 1
        return Message(Direction.TO_BROKER, name, raw, self._number, also=also, context=context)

    def _single(self, raw: bytes, kind: int) -> Message:
        if kind == ord("Q"):
            sql = raw[5:-1]
            message = self._executing(raw, [piece for piece in sql.split(b";") if piece.strip()] or [b""], "Query")
            self._asked.append(_Asked(message, None))
            return message
        message = self._numbered(raw, SENT[kind])
        if kind == ord("F"):
            self._asked.append(_Asked(message, None))
        return message

    def _extended(self, raw: bytes, group: _Group, ends: bool) -> Message:
        if group.executed:
            message = self._executing(raw, group.executed, "")
        else:
            sql = b"; ".join(group.parsed)
            message = self._numbered(raw, "PREPARE" if group.parsed else "Sync" if ends else "Flush", context=sql)
        if ends or group.parts:
            self._asked.append(_Asked(message, None if ends else group.parts))
        return message

    def _executing(self, raw: bytes, statements: list[bytes], also: str) -> Message:
        """A message that runs SQL. A COMMIT's context is all that it commits."""
        words = [word for sql in statements if (word := _word(sql)) in WORDS] or [_word(statements[0]) or "Query"]
        message = self._numbered(raw, words[0], tuple(dict.fromkeys((*words[1:], *filter(None, [also])))))
        message.context = b"; ".join(sql for sql in statements if sql not in raw)
        for word in words:
            if word in OPENING:
                self._transaction, self._transaction_bytes = [], 0
            elif word in CLOSING and self._transaction is not None:
                message.context += b"".join(self._transaction)
                self._transaction = None
        if self._transaction is not None and self._transaction_bytes < TRANSACTION_AT_MOST:
            # The SQL first, in a message that has it as in one that does not, and its last word for itself.
            self._transaction.append(b"; ".join(filter(None, (message.context, raw))))
            self._transaction_bytes += len(raw)
        return message

    def _look(self, data: bytes, at: int, end: int, group: _Group) -> None:
        """Note what one part of an extended query means for the names of statements and portals."""
        kind, group.parts = data[at], group.parts + 1
        first, _, rest = data[at + 5 : end].partition(b"\0")
        if kind == ord("P"):
            sql = rest.partition(b"\0")[0]
            self._statements[first] = sql
            group.parsed.append(sql)
        elif kind == ord("B"):
            self._portals[first] = self._statements.get(rest.partition(b"\0")[0], b"")
        elif kind == ord("E"):
            group.executed.append(self._portals.get(first, b""))
        elif kind == ord("C"):
            (self._statements if first[:1] == b"S" else self._portals).pop(first[1:], None)

    # What the server sends.

    def _take_reply(self, data: bytes, start: int, messages: list[Message]) -> int:
        if self._single_bytes:
            self._single_bytes -= 1
            answer = data[start : start + 1]
            if answer != b"N":
                raise Garbage("the connection is encrypted from here on (the server agreed to it)")
            self._started = False
            messages.append(Message(Direction.FROM_BROKER, "SSLRequest", answer))
            return start + 1
        end = _typed_end(data, start, RECEIVED)
        if end < 0:
            return end
        messages.append(self._reply(data[start:end] if start or end < len(data) else data))
        return end

    def _reply(self, raw: bytes) -> Message:
        kind, name = raw[0], RECEIVED[raw[0]]
        if kind in UNASKED or not self._asked:
            return Message(Direction.FROM_BROKER, name, raw)
        if kind == ord("Z"):
            # After an error, what was sent before the Sync is not answered.
            while self._asked[0].parts is not None and len(self._asked) > 1:
                self._asked.popleft()
        asked = self._asked[0]
        command = asked.message
        if asked.parts is not None and kind in ENDS:
            asked.parts -= 1
            if asked.parts <= 0 or kind == ord("E"):
                self._asked.popleft()
        elif kind == ord("Z"):
            self._asked.popleft()
        context = command.raw + command.context
        return Message(Direction.FROM_BROKER, command.command, raw, 0, command.number, (name, *command.also), context)

    def repeat(self, message: Message) -> tuple[bytes, tuple[int, ...]]:
        """Send it again; all that the server says to the second is kept from the client."""
        for place, asked in enumerate(self._asked):
            if asked.message is message:
                again = self._numbered(message.raw, message.command, message.also, message.context)
                self._asked.insert(place + 1, _Asked(again, asked.parts))
                return message.raw, (again.number,)
        return message.raw, ()

    def withdraw(self, message: Message) -> tuple[bytes, tuple[int, ...]]:
        """It is not answered. Where a transaction is not committed, the server must still leave it."""
        for asked in self._asked:
            if asked.message is message:
                if message.command in ("COMMIT", "END"):
                    asked.parts = None
                    sql = b"ROLLBACK\0"
                    return b"Q" + LENGTH.pack(len(sql) + 4) + sql, (message.number,)
                self._asked.remove(asked)
                break
        return b"", ()

    def describe(self, message: Message) -> str:
        """Such as "UPDATE: UPDATE jobs SET …", "reply to COMMIT: CommandComplete COMMIT"."""
        if message.command in ("Startup", "Password", "Authentication"):
            return message.command
        if message.is_reply:
            own = message.also[0] if message.also else ""
            return f"reply to {message.command}: {own} {printable(message.raw[5:], 40)}" if message.of else message.command
        values = [printable(value, 40) for value in self.values(message)[:6]]
        sql = message.raw[5:-1] if message.raw[:1] == b"Q" else message.context or _parsed(message.raw) or message.raw
        return f"{message.command}: {printable(sql, 100)}" + (f" {values}" if values else "")

    def values(self, message: Message) -> list[bytes]:
        """Parameters, columns, or the literals in the SQL of a simple query."""
        raw, found = message.raw, []
        if message.is_reply:
            return _columns(raw) if raw[:1] == b"D" else []
        if raw[:1] == b"Q":
            return [text or number for text, number in _LITERALS.findall(raw)]
        for kind, body in _parts(raw):
            if kind == ord("B"):
                for value in _parameters(body):
                    found += [value, *_elements(value)]
        return found


def _typed_end(data: bytes, at: int, known: dict[int, str]) -> int:
    """The end of a message with a type, or minus the length that is needed."""
    if at >= len(data):
        return -5
    if data[at] not in known:
        raise Garbage(f"a message begins with {data[at : at + 1]!r}")
    if at + 5 > len(data):
        return -5
    length = LENGTH.unpack_from(data, at + 1)[0]
    if not 4 <= length <= MESSAGE_AT_MOST:
        raise Garbage(f"a message has a length of {length}")
    end = at + 1 + length
    return int(end) if end <= len(data) else -(1 + int(length))


def _parts(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """The parts of an extended query: what each is, and its bytes."""
    at = 0
    while at + 5 <= len(raw) and raw[at] in SENT:
        end = at + 1 + LENGTH.unpack_from(raw, at + 1)[0]
        yield raw[at], raw[at + 5 : end]
        at = end


def _parsed(raw: bytes) -> bytes:
    """The SQL that an extended query has with it, without the bytes around it and those of its values."""
    return b"; ".join(body.split(b"\0")[1] for kind, body in _parts(raw) if kind == ord("P"))


def _word(sql: bytes) -> str:
    match = _FIRST_WORD.match(sql)
    return match[1].decode("ascii").upper() if match is not None else ""


def _columns(raw: bytes) -> list[bytes]:
    return _sized(raw, 7, COUNT.unpack_from(raw, 5)[0])


def _parameters(body: bytes) -> list[bytes]:
    """The parameters of a Bind: after portal, statement and formats."""
    at = body.index(b"\0", body.index(b"\0") + 1) + 1
    at += 2 + 2 * COUNT.unpack_from(body, at)[0]
    return _sized(body, at + 2, COUNT.unpack_from(body, at)[0])


def _elements(value: bytes) -> list[bytes]:
    """The elements of an array of one dimension in binary form; none for anything else."""
    if len(value) < ARRAY.size or value[:4] != b"\0\0\0\1":
        return []
    try:
        return _sized(value, ARRAY.size, ARRAY.unpack_from(value)[3])
    except struct.error:
        return []


def _sized(raw: bytes, at: int, count: int) -> list[bytes]:
    found = []
    for _ in range(count):
        size = max(-1, SIZE.unpack_from(raw, at)[0])
        at += 4
        if size >= 0:
            found.append(raw[at : at + size])
            at += size
    return found
