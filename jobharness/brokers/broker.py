"""The seam: what a broker is to a run."""

from __future__ import annotations

from typing import Any, Protocol

from jobharness.processes.site import Site
from jobharness.scenario.model import BrokerSpec

__all__ = ["Broker"]


class Broker(Protocol):
    """A server of one kind. Made from its part of the scenario; nothing runs before `start`."""

    kind: str

    def __init__(self, spec: BrokerSpec) -> None: ...

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
