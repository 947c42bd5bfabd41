"""Where a text leads: the hosts that its URLs, host lists and connection strings name, and the names that may tell production.

Clients read addresses differently, so that what is read here must cover what any of them would: several URLs in one text
(Celery's `;`, NATS's `,`), hosts in the query (libpq, SQLAlchemy), percent-encoded hosts (redis-py), sockets. What two
clients would read as two places is refused and never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

__all__ = ["STORES", "Place", "betrays", "normal", "places_in"]

STORES = frozenset(
    (
        "amqp", "amqps", "redis", "rediss", "valkey", "valkeys", "sentinel", "postgres", "postgresql", "mysql", "mariadb",
        "nats", "kafka", "sqs", "mssql", "mongodb", "oracle", "clickhouse", "memcached", "beanstalk", "pulsar", "gcpubsub",
        "azureservicebus", "azurestoragequeues",
    )
)  # fmt: skip
"""Schemes of what stores or queues something."""
_WEB = frozenset(("http", "https", "ws", "wss"))
_FILES = frozenset(("sqlite", "file", "filesystem", "memory", "unix"))
_CLOUD = frozenset(("sqs", "gcpubsub", "azureservicebus", "azurestoragequeues", "s3", "gs"))
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*)://")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\\]")
_KEYWORD = re.compile(r"(?:^|\s)(host|hostaddr|dbname|user|service)\s*=\s*('[^']*'|\S+)", re.IGNORECASE)
_IN_QUERY = ("host", "hostaddr", "hostname", "server")
_NAMES_IN_QUERY = ("dbname", "database", "user", "vhost", "virtual_host", "service")
_HOST = re.compile(r"\[(?P<six>[^\]]*)\](?::\d*)?|(?P<name>[^:]*)(?::\d*)?")
_BARE = re.compile(r"[\w.\-:\[\],;% ]+")


@dataclass(frozen=True)
class Place:
    """One place that a text names. `host`: as `normal` gives it, "" where it is a file or socket of this machine, or is not
    said; `names`: host, user, database and virtual host as they are written, which may tell production."""

    host: str
    names: tuple[str, ...] = ()


def places_in(text: str, *, bare: bool = False) -> Iterator[Place]:
    """Every place that a text names; none for a text that names none.

    Args: `bare`: a text without a scheme is a host, or several with ports ("a:6379,b:6379").
    Raises: ValueError for an address that clients may read in two ways, with what to write instead.
    """
    starts = list(_URL.finditer(text))
    if not starts:
        yield from _of_keywords(text)
        if bare and _BARE.fullmatch(text):
            yield from _of_hosts(re.split(r"[,;\s]+", text))
        return
    if _CONTROL.search(text):
        raise ValueError("has a backslash or a control character in it, which programs read differently; leave it out")
    for start, following in zip(starts, [*starts[1:], None], strict=True):
        whole = text[start.end() : following.start() if following is not None else len(text)]
        yield from _of_url(start[1].lower(), re.split(r"[\s\"'<>]", whole, maxsplit=1)[0].rstrip(",;"))


def _of_url(scheme: str, rest: str) -> Iterator[Place]:
    """The places of what stands behind `scheme://`."""
    authority, _, tail = re.sub("[/?#]", "\0", rest, count=1).partition("\0")
    base = scheme.partition("+")[0]
    mark = rest[len(authority) : len(authority) + 1]
    path, _, query = tail.partition("?") if mark != "?" else ("", "", tail)
    if authority.count("@") > 1 or ("@" in tail and base not in _WEB | _FILES):
        raise ValueError("has an `@` that programs read differently; write one in a password or path as %40")
    user, _, hosts = authority.rpartition("@")
    if base in _FILES or scheme.endswith(("+socket", "+unix")):
        yield Place("", (unquote(path).rpartition("/")[2],))
        return
    names = [unquote(user.partition(":")[0])]
    if base not in _WEB:
        pieces = path.partition("#")[0].split(";")
        names += unquote(pieces[0]).split("/")
        # Behind a `;` another address may follow, which needs no scheme of its own for kombu.
        yield from _of_hosts([piece for piece in pieces[1:] if piece and "=" not in piece])
        for key, value in parse_qsl(query.partition("#")[0].replace(";", "&")):
            if key.lower() in _IN_QUERY:
                yield from _of_hosts(value.split(","))
            elif key.lower() in _NAMES_IN_QUERY:
                names.append(value)
            if key.lower() == "service":
                yield Place(f"service {value}")  # Of pg_service.conf: it may be anywhere.
    kept = tuple(name for name in names if name)
    if base in _CLOUD:
        yield Place(base, (*kept, unquote(hosts)))
        return
    for place in _of_hosts(re.split("[,;]", hosts)):
        yield Place(place.host, (*place.names, *kept))


def _of_hosts(words: Iterable[str]) -> Iterator[Place]:
    """`host`, `host:port`, `user@host:port`, `[::1]:port`; one that begins with a slash is a socket."""
    for word in words:
        written = unquote(word).rpartition("@")[2].strip()
        if written.startswith("/"):
            yield Place("")
            continue
        found = _HOST.fullmatch(written)
        # More colons than one: an address of IPv6 without its brackets.
        host = written if found is None else found["name"] if found["six"] is None else found["six"]
        yield Place(normal(host), (host,) if host else ())


def _of_keywords(text: str) -> Iterator[Place]:
    """The places of a connection string in words, such as libpq's "host=a,b dbname=shop"."""
    words = [(word[1].lower(), word[2].strip("'")) for word in _KEYWORD.finditer(text)]
    if not any(key in ("host", "hostaddr", "service") for key, _ in words):
        return
    names = tuple(value for key, value in words if key in ("dbname", "user"))
    for key, value in words:
        if key in ("host", "hostaddr"):
            yield from (Place(place.host, (*place.names, *names)) for place in _of_hosts(value.split(",")))
        elif key == "service":
            yield Place(f"service {value}", (value, *names))


def normal(host: str) -> str:
    """A host as it is compared: lower case, no dot at the end, no scope, letters of other scripts as `xn--`.

    Raises: ValueError for what can be no host.
    """
    plain = host.partition("%")[0].strip()
    if plain.isascii():
        return plain.rstrip(".").lower()
    try:
        # As resolvers do it: full-width letters and dots become plain ones.
        return plain.encode("idna").decode("ascii").rstrip(".").lower()
    except UnicodeError as error:
        raise ValueError(f"names the host {host!r}, which cannot be one") from error


def betrays(name: str, words: Iterable[str]) -> str | None:
    """The one of `words` that is a word of this name, or None: "prod" is one of `shop-prod2`, and none of `reproduction`."""
    try:
        plain = normal(name)
    except ValueError:
        plain = name
    parts = re.split(r"[^a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()) + re.split(r"[^a-z]+", plain)
    return next((word for word in words if word.lower() in parts), None)
