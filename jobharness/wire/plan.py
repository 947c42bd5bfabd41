"""Whether a proxy can stand before a broker, and what it must understand: decided from the broker's address, before
anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from jobharness.errors import InvalidRequest, nearest
from jobharness.wire.control import Wire
from jobharness.wire.framing import framing_named
from jobharness.wire.match import PREFIX, Match
from jobharness.wire.statements import STATEMENTS, Statements

__all__ = ["WirePlan", "checked_step", "translated"]

PROTOCOLS = {
    "redis": ("resp", 6379),
    "valkey": ("resp", 6379),
    "amqp": ("amqp", 5672),
    "postgresql": ("postgres", 5432),
    "postgres": ("postgres", 5432),
    "nats": ("nats", 4222),
}
HTTP = ("http", 80)
ENCRYPTED = ("rediss", "valkeys", "amqps", "tls")
ENCRYPTING = ("sslmode=require", "sslmode=verify-ca", "sslmode=verify-full", "ssl=true", "ssl=1")


@dataclass(frozen=True)
class WirePlan:
    """The proxy that a run needs. `gated`: a step fault is armed, so only whole messages pass."""

    framing: str
    gated: bool

    @property
    def by_agent(self) -> bool:
        """Whether there is no connection, and the agent strikes at the statements of its own process."""
        return self.framing == Statements.framing

    @classmethod
    def before(cls, url: str, gated: bool, otherwise: str = "") -> WirePlan:
        """The plan for the broker at `url`. Raises: InvalidRequest where no proxy can stand before it, with what would help;
        `otherwise`: the end of that sentence."""
        scheme = urlsplit(url).scheme.partition("+")[0]
        if scheme in ENCRYPTED or any(option in url.lower() for option in ENCRYPTING):
            raise InvalidRequest(
                f"faults of the network and at broker steps must read what passes, and {scheme}:// is encrypted here. "
                "Use the broker's plain port on this machine, or leave broker.url and broker.tls out to have a server "
                f"started{otherwise}"
            )
        if scheme not in PROTOCOLS:
            raise InvalidRequest(
                f"faults of the network and at broker steps pass through a TCP proxy, and {scheme}:// has no connection "
                f"that could; use a broker of another kind ({', '.join(PROTOCOLS)})"
            )
        return cls(PROTOCOLS[scheme][0], gated)

    def make(self, url: str, peer: str = "", first: int = 0, chain: Path | None = None) -> Wire:
        """The proxy, not yet started. `peer`, `first`, `chain`: see `wire.proxy`."""
        parts = urlsplit(url)
        if parts.port is None:
            port = PROTOCOLS.get(parts.scheme.partition("+")[0], HTTP)[1]
            user = parts.netloc.rpartition("@")
            parts = parts._replace(netloc=f"{user[0]}{user[1]}{parts.hostname}:{port}")
        return Wire(urlunsplit(parts), self.framing, self.gated, peer, first, chain)

    def statements(self, url: str, folder: Path) -> Statements:
        """What is armed at the statements to the database at `url`; `folder` is for its files."""
        return Statements(Path(urlsplit(url).path[1:]), folder)


def translated(step: str, words: Mapping[str, str]) -> str:
    """The words behind "broker.step:", a queue's own names for its messages (such as "ack") put into the protocol's."""
    return " ".join(words.get(word.lower(), word) for word in step.split())


def checked_step(step: str, framing: str, own_words: Mapping[str, str]) -> Match:
    """The match, if the protocol has such a message. Raises: InvalidRequest with what it has."""
    match = Match.parse(step)
    if match.reply and framing == Statements.framing:
        raise InvalidRequest(f"{PREFIX}{step}: a statement has no reply to wait for; write `after`, or use the fault lose_reply")
    commands = STATEMENTS if framing == Statements.framing else framing_named(framing).commands
    if match.command and not any(_named(name, match.command) for name in commands):
        guess = nearest(match.command, [*commands, *(name.rpartition(".")[2] for name in commands), *own_words])
        hint = f" Did you mean {guess!r}?" if guess else ""
        own = f" This queue's own words: {', '.join(sorted(own_words))}." if own_words else ""
        raise InvalidRequest(f"{PREFIX}{step}: the protocol {framing!r} has no message {match.command!r}.{hint}{own}")
    return match


def _named(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern) or fnmatchcase(name.rpartition(".")[2], pattern)
