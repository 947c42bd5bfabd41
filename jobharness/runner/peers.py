"""The servers that are started for the app's own data: one for each peer that is such a server, in a folder of its own."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

from jobharness.processes.site import Site
from jobharness.runner.parts import Parts

__all__ = ["peer_places", "start_peers"]


def peer_places(parts: Parts) -> dict[str, str]:
    """What the placeholders of peers stand for: the address of each that has one."""
    given = {f"peer.{peer.name}": peer.url for peer in parts.scenario.peer if peer.url is not None}
    return {**given, **{f"peer.{name}": server.url for name, server in parts.peers.items()}}


def start_peers(parts: Parts, site: Site, stack: ExitStack) -> None:
    """Start those that do not run and wait until they answer; the stack stops them. Raises: BrokerFailed."""
    for name, server in parts.peers.items():
        if server.version:
            continue
        logs = site.logs / f"peer-{name}"
        logs.mkdir(exist_ok=True)
        stack.callback(server.stop)
        server.start(replace(site, data=site.data / f"peer-{name}", logs=logs))
