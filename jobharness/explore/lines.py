"""Who stands between the worker and each of those that it speaks to: the proxy, or the agent at SQL statements.

    worker --> proxy --> broker, PostgreSQL, HTTP API, upstream
    worker --> agent --> SQLite

Each line can be transcribed, and armed to strike at one of its messages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jobharness.brokers.broker import Broker, LivesInFolder
from jobharness.errors import InvalidRequest
from jobharness.processes.process import Process
from jobharness.processes.site import Site
from jobharness.runner.parts import Parts
from jobharness.runner.surroundings import Surroundings
from jobharness.upstream.server import Upstream
from jobharness.wire.control import Wire
from jobharness.wire.plan import WirePlan
from jobharness.wire.statements import Statements

__all__ = ["INSTEAD", "UPSTREAM", "Lines", "check_lines", "plan_before"]

UPSTREAM = "upstream"
INSTEAD = '[crashmap] steps = "writes"'
"""What is offered where nothing can be read."""
NUMBERS = 1000
"""Connections of one proxy: each begins its numbers so far behind the one before, since they are told apart by them."""


class Lines:
    """The lines of one stage. `to`: each by the peer's name, "" is the broker. `peers`: the servers of the app's own data."""

    def __init__(
        self,
        parts: Parts,
        peers: Mapping[str, Broker],
        around: Surroundings,
        site: Site,
        start: Callable[..., Process],
        stack: ExitStack,
    ) -> None:
        self._parts, self._peers, self._around, self._site = parts, peers, around, site
        self._start, self._stack = start, stack
        self.to: dict[str, Wire | Statements] = {}
        spec = parts.scenario.crashmap
        self._steps = spec.steps if spec is not None else "messages"
        self._http = WirePlan("http" if self._steps == "messages" else "writes", gated=True)

    @property
    def wires(self) -> dict[str, Wire]:
        """Those that are proxies."""
        return {peer: line for peer, line in self.to.items() if isinstance(line, Wire)}

    def lay(self) -> None:
        """Lay the lines to the broker and to the declared peers."""
        broker, around, folder = self._parts.broker, self._around, self._site.data
        for peer in self._parts.scenario.peer:
            if peer.database is not None:
                database = around.cwd / around.fill(peer.database, f"peer {peer.name!r}.database")
                self._watch(peer.name, Statements(database, folder / f"steps-{peer.name}", peer.name))
        if isinstance(broker, LivesInFolder):
            self._watch("", Statements(Path(urlsplit(broker.url).path[1:]), folder / "steps"))
        else:
            self._stand_before(broker.url, "broker.url", plan_before(broker.url, self._steps))
        for name, server in self._peers.items():
            self._stand_before(server.url, f"peer.{name}", plan_before(server.url, self._steps), name)
        for peer in self._parts.scenario.peer:
            if peer.url is not None:
                self._stand_before(peer.url, f"peer.{peer.name}", self._http, peer.name)

    def lay_upstream(self, upstream: Upstream) -> None:
        """Lay the line to the upstream, which has been started."""
        plain = upstream.url
        wire = self._stand_before(plain, "upstream.url", self._http, UPSTREAM, upstream.chain)

        def ways_for(name: str) -> Mapping[str, Any]:
            ways = upstream.ways
            if not _is_worker(name):
                return ways
            return {**ways, "plain": wire.listen(name), "tls": wire.listen(name, secure=True) if ways["tls"] else 0}

        self._around.reach_upstream_by(ways_for)

    def _watch(self, peer: str, statements: Statements) -> None:
        self.to[peer] = statements
        self._around.watch_statements(statements)

    def _stand_before(self, url: str, place: str, plan: WirePlan, peer: str = "", chain: Path | None = None) -> Wire:
        self.to[peer] = wire = plan.make(url, peer, NUMBERS * len(self.wires), chain)
        self._stack.callback(wire.stop)
        wire.start(self._site, self._start)
        self._around.reach_by(place, lambda name: wire.url_for(name) if _is_worker(name) else url)
        return wire


def check_lines(parts: Parts) -> None:
    """Whether there can be steps. Raises: InvalidRequest with what would help."""
    spec = parts.scenario.crashmap
    steps = spec.steps if spec is not None else "messages"
    if not isinstance(parts.broker, LivesInFolder):
        plan_before(parts.broker.url, steps)
    elif steps == "writes":
        raise InvalidRequest(f"{parts.broker.kind} has no connection to write to: its steps are statements. Leave {INSTEAD} out")


def plan_before(url: str, steps: str) -> WirePlan:
    """The proxy before a broker or database, for `crashmap.steps`. Raises: InvalidRequest."""
    if steps == "writes":
        return WirePlan("writes", gated=True)
    return WirePlan.before(url, True, f", or set {INSTEAD}: each socket write of the worker is then a step")


def _is_worker(name: str) -> bool:
    return name.startswith("worker-")
