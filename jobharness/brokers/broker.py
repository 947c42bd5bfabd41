"""The seam: what a broker is to a run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from jobharness.processes.site import Site
from jobharness.scenario.model import BrokerSpec

__all__ = ["Broker", "Provider"]


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

    def start(self, site: Site) -> None:
        """Start it (or connect to it) and wait until it answers.

        Raises: BrokerFailed with the last lines of its log. If it fails: nothing of it is left running.
        """
        ...

    def client(self) -> Any:
        """A new client of the server's own protocol, for asking it (redis.Redis, for Redis). Raises: BrokerFailed."""
        ...

    def stop(self) -> None:
        """End it, or, where it was given by URL, leave it as it was found. Safe to call twice."""
        ...
