"""Whose job a message is about: job ids are searched for in its bytes, and names that a job gets on the way are learnt.

A message that holds a job's id also tells what else the job is called: kombu's delivery tag, an entry id of a stream,
the subject of an acknowledgement. Such a name, seen with one job only, stands for it from then on. A name seen with two
jobs stands for none, and so does one that a command gave before which was about no job: a worker's own name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple
from uuid import UUID

from jobharness.agent.spelling import in_base64
from jobharness.wire.message import Message

__all__ = ["Job", "Jobs"]

LOOK_AT = 64 * 1024
FEW = 16  # Jobs that are also searched for in base64, which takes a look for each.
SHORT = 6
TOKENS = re.compile(
    rb"(?<![0-9a-fA-F])[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?![0-9a-fA-F])"
    rb"|(?<![0-9a-fA-F])[0-9a-f]{32}(?![0-9a-fA-F])"
    rb"|(?<![0-9])[0-9]{13}-[0-9]+"
    rb"|\$JS\.ACK\.[!-~]+"
)


class Job(NamedTuple):
    """A job of the run. `number`: from 1, in the order of enqueuing, of those that the workload sent; 0 for what workers and
    schedulers enqueue. `name`: the library's id."""

    key: bytes
    number: int
    name: str


class Jobs:
    """The jobs that were enqueued so far, found in messages.

    Args: `enqueued` returns the (key, id, whether the workload sent it) of the jobs whose enqueue began since it was last called;
    the id is "" where the key is the id.
    """

    def __init__(self, enqueued: Callable[[], Iterable[tuple[bytes, str, bool]]]) -> None:
        self._enqueued = enqueued
        self._count = self._sent = 0
        self._names: dict[bytes, Job] = {}
        self._odd: dict[bytes, Job] = {}  # Ids that TOKENS does not find, long enough to be searched for.
        self._short: dict[bytes, Job] = {}  # Ids such as "17", which only whole values can be compared with.
        self._aliases: dict[bytes, Job | None] = {}

    def learn(self) -> None:
        """Take in the jobs enqueued since the last call."""
        for key, name, sent in self._enqueued():
            dashed = name or str(UUID(bytes=key))
            if dashed.encode() in self._names or dashed.encode() in self._odd or dashed.encode() in self._short:
                continue
            self._count += 1
            self._sent += sent
            job = Job(key, self._sent if sent else 0, dashed)
            # The agent names a job by its key, in the header of a request.
            for spelt in {dashed.encode(), key.hex().encode(), *({dashed.replace("-", "").encode()} if not name else ())}:
                book = self._names if TOKENS.fullmatch(spelt) else self._short if len(spelt) < SHORT else self._odd
                book[spelt] = job
            if (self._sent if sent else self._count) <= FEW:
                self._odd.update(dict.fromkeys(in_base64(dashed.replace("-", "").encode()), job))

    @property
    def sent(self) -> int:
        """How many jobs of the workload are known."""
        return self._sent

    def of(self, message: Message, values: Callable[[], Iterable[bytes]], scope: bytes = b"") -> list[Job]:
        """The jobs that a message is about, each once: those it names itself, else those that what went before it names.

        Args: `values`: the message's single values; `scope`: the connection, since `message.tokens` hold only within one.
        """
        self.learn()
        raw = message.raw[:LOOK_AT]
        tokens = [*TOKENS.findall(raw), *(scope + token for token in message.tokens)]
        found = list(dict.fromkeys(self._named(raw, tokens, values)))
        if found:
            self._learn_names(found, tokens)
            return found
        found = list(dict.fromkeys(job for token in tokens if (job := self._aliases.get(token))))
        if not found and message.context:
            context = message.context[:LOOK_AT]
            tokens = TOKENS.findall(context)
            named = self._named(context, tokens, tuple)
            found = list(dict.fromkeys(named)) or list(dict.fromkeys(j for t in tokens if (j := self._aliases.get(t))))
        if not found and not message.is_reply:
            for token in TOKENS.findall(raw):
                self._aliases.setdefault(token, None)
        return found

    def _named(self, raw: bytes, tokens: list[bytes], values: Callable[[], Iterable[bytes]]) -> Iterator[Job]:
        for token in tokens:
            if job := self._names.get(token):
                yield job
        if self._odd:
            yield from (job for name, job in self._odd.items() if name in raw)
        if self._short:
            yield from (job for value in values() if (job := self._short.get(_plain(value))))

    def _learn_names(self, found: list[Job], tokens: list[bytes]) -> None:
        for token in tokens:
            if token not in self._names:
                known = self._aliases.get(token, found[0])
                self._aliases[token] = found[0] if len(found) == 1 and known is found[0] else None


def _plain(value: bytes) -> bytes:
    """A value as decimal digits: itself, or what a big-endian integer of 2, 4 or 8 bytes says (PostgreSQL's binary form)."""
    if len(value) in (2, 4, 8) and not value.isdigit():
        return str(int.from_bytes(value, "big", signed=True)).encode()
    return value
