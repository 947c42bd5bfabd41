"""Which message a fault waits for: the words behind `on = "broker.step:"`.

    broker.step:EXEC                       the next EXEC that is sent
    broker.step:after ack job=7            the acknowledgement of the seventh job, once it was passed on
    broker.step:reply BRPOP job=any        what the broker answers to BRPOP, where a job is in it
    broker.step:PUB has=orders by=producer nth=3
    broker.step:4                          the fourth message, whatever it is

`before` (the default) or `after` it is passed on; `reply`: what the broker sends, named by the command it answers; then
the command (the whole name or its last part, any case, `*` for any letters); `job=` a number in the order of enqueuing,
`any`, or the library's own id (`id:17` where it is a number); `has=` some text within it or its transaction; `by=` a
worker, `workers`, `producer` or `service`; `nth=` the first that counts, of those that fit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from jobharness.errors import InvalidRequest, nearest
from jobharness.wire.message import Message

__all__ = ["PREFIX", "Match"]

PREFIX = "broker.step:"
MASKED = "***"
KEYS = ("by", "has", "job", "nth")


@dataclass(frozen=True)
class Match:
    """What a message must be. `command` is lower case; "" fits every command."""

    command: str = ""
    reply: bool = False
    after: bool = False
    job: str | int | None = None
    has: bytes = b""
    by: str = ""
    nth: int = 1
    alike: str = ""
    """The message's signature, where it is known from another run; see `wire.signature`."""
    unlike: tuple[int, ...] = ()
    """Sizes in bytes: messages of these are not meant."""
    sent: int = 0
    """How many jobs of the workload must have been enqueued, begun at least, before a message counts."""
    since: int = 0
    """The number of a job: only messages count that come with or after the first reply that names it; 0: all."""

    @classmethod
    def of(cls, words: str | Mapping[str, Any]) -> Match:
        """What a scenario says in words, or the fields themselves, as JSON has them. Raises: InvalidRequest."""
        if isinstance(words, str):
            return cls.parse(words)
        return cls(**{**words, "has": str(words.get("has", "")).encode(), "unlike": tuple(words.get("unlike", ()))})

    @classmethod
    def parse(cls, text: str) -> Match:
        """Read the words. Raises: InvalidRequest with what is allowed."""
        found: dict[str, object] = {}
        for word in text.split():
            key, equals, value = word.partition("=")
            if equals:
                found |= _condition(key, value, text)
            elif word in ("before", "after"):
                found["after"] = word == "after"
            elif word == "reply":
                found["reply"] = True
            elif word.isdigit():
                found["nth"] = _positive(word, text)
            elif "command" in found:
                raise InvalidRequest(f"{PREFIX}{text}: names two commands, {found['command']!r} and {word!r}; give one, or `*`")
            else:
                found["command"] = word.lower()
        if not found:
            raise InvalidRequest(f"{PREFIX} needs a command, such as {PREFIX}ack, or a number, such as {PREFIX}4")
        return cls(**found)  # type: ignore[arg-type]  # each key was checked above

    @property
    def wants_job(self) -> bool:
        """Whether it asks for a job, so that jobs must be recognised in messages."""
        return self.job is not None

    def fits(self, message: Message, by: str) -> bool:
        """Whether the message is one of those meant, but for the job and the count."""
        if message.is_reply is not self.reply or (self.reply and not message.command):
            return False
        if self.command and not any(self._named(name) for name in (message.command, *message.also)):
            return False
        if len(message.raw) in self.unlike:
            return False
        if self.has and self.has not in message.raw and self.has not in message.context:
            return False
        return self.comes_from(by)

    def is_alike(self, signature: str) -> bool:
        """Whether the message's signature is the one that is meant, if one is; what was masked in it may be anything."""
        if not self.alike or self.alike == signature:
            return True
        parts = self.alike.split(MASKED)
        return len(parts) > 1 and re.fullmatch(".*".join(map(re.escape, parts)), signature) is not None

    def comes_from(self, by: str) -> bool:
        """Whether traffic of this process is meant."""
        return self.by in ("", by) or (self.by == "workers" and by.startswith("worker-"))

    def _named(self, name: str) -> bool:
        lower = name.lower()
        return fnmatchcase(lower, self.command) or fnmatchcase(lower.rpartition(".")[2], self.command)


def _condition(key: str, value: str, text: str) -> dict[str, object]:
    if not value:
        raise InvalidRequest(f"{PREFIX}{text}: {key}= has no value")
    if key == "job":
        return {"job": _positive(value, text) if value.isdigit() else value.removeprefix("id:")}
    if key == "has":
        return {"has": value.encode()}
    if key == "by":
        return {"by": value}
    if key == "nth":
        return {"nth": _positive(value, text)}
    guess = nearest(key, KEYS)
    hint = f"; did you mean {guess}=?" if guess else ""
    raise InvalidRequest(f"{PREFIX}{text}: there is no condition {key}={hint} (known: {', '.join(f'{k}=' for k in KEYS)})")


def _positive(value: str, text: str) -> int:
    if not value.isdigit() or int(value) < 1:
        raise InvalidRequest(f"{PREFIX}{text}: counts begin with 1, not {value}")
    return int(value)
