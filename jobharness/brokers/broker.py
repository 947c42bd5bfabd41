"""The seam: what a broker is to a run, and what it is to be asked. What some can do besides: see `abilities`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from jobharness.processes.site import Site
from jobharness.scenario.model import BrokerSpec

__all__ = ["Broker", "HasRooms", "LivesInFolder", "MessageQueues", "Provider", "QueueTotals", "QueuedMessage"]


@dataclass(frozen=True)
class Provider:
    """One way in which a kind of server can be had on this machine. `found`: its version and place, "" where it is missing;
    `install`: the command that installs it."""

    name: str
    found: str
    install: str


class Broker(Protocol):
    """A server of one kind. Made from its part of the scenario; nothing runs before `start`."""

    kind: str
    package: str
    """What must be importable to ask such a server; jobharness's extra of the kind's name installs it."""

    def __init__(self, spec: BrokerSpec) -> None: ...

    @classmethod
    def providers(cls) -> Iterable[Provider]:
        """Every way such a server can be had here, in the order in which they are tried. Starts nothing."""
        ...

    @property
    def url(self) -> str:
        """Its address; known before it is started, so that the app can be given it."""
        ...

    @property
    def provider(self) -> str:
        """How it was had, for the report: a sentence with version and path. Known after `start`."""
        ...

    @property
    def version(self) -> str:
        """The server's own version, such as "7.0.15"; "" before `start`."""
        ...

    def start(self, site: Site) -> None:
        """Start it (or connect to it) and wait until it answers.

        Raises: BrokerFailed with the last lines of its log. If it fails: nothing of it is left running.
        """
        ...

    def is_ready(self) -> bool:
        """Whether it answers its own protocol now. Blocks for a few seconds at most."""
        ...

    def client(self) -> Any:
        """A new client of the server's own protocol, for asking it (redis.Redis, for Redis). Raises: BrokerFailed."""
        ...

    def stop(self) -> None:
        """End it, or, where it was given by URL, leave it as it was found. Safe to call twice."""
        ...


@runtime_checkable
class HasRooms(Protocol):
    """A broker in which several parties can live apart: databases, virtual hosts. Starting it takes long, a room does not.

    `copies_rooms = True`, a class attribute: a room can be a copy of another.
    """

    def room(self, name: str, like: str | None = None) -> Broker:
        """A place of its own in this server, which runs: empty, or with all that the room called `like` has, where the kind can.

        It counts as started; stopping it stops nothing. Raises: BrokerFailed.
        """
        ...


@runtime_checkable
class LivesInFolder(Protocol):
    """A broker whose address depends on the run's folder: it is told before anybody asks for `url`."""

    def live_in(self, folder: Path) -> None:
        """Its data will be in this folder, which exists."""
        ...


@dataclass(frozen=True)
class QueueTotals:
    """How many messages one queue of a message broker holds; `unacknowledged` is None where the broker cannot be asked."""

    ready: int
    unacknowledged: int | None


@dataclass(frozen=True)
class QueuedMessage:
    """One message that waits in a queue: its body, its AMQP properties and headers by name, and the queue's name."""

    queue: str
    body: bytes
    properties: Mapping[str, Any]
    headers: Mapping[str, Any]


@runtime_checkable
class MessageQueues(Protocol):
    """A message broker (RabbitMQ): it knows queues, and what waits in them."""

    def queue_totals(self) -> Mapping[str, QueueTotals]:
        """The totals of every queue by name, as of now. Raises: BrokerFailed."""
        ...

    def waiting(self, queue: str) -> Iterable[QueuedMessage]:
        """The messages that wait in a queue, in order; each is put back and keeps its place. Raises: BrokerFailed."""
        ...
