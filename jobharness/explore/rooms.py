"""Where the stages of one map get their servers from: a room each in servers that all share, where that takes less time than a
server each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from jobharness.brokers.broker import Broker, HasRooms
from jobharness.errors import JobharnessBug
from jobharness.processes.site import Site
from jobharness.queues.queue import App, NumbersJobs
from jobharness.runner.folder import RunFolder
from jobharness.runner.parts import Parts
from jobharness.runner.peers import peer_places, start_peers
from jobharness.runner.setup import set_up
from jobharness.runner.surroundings import Surroundings

__all__ = ["Rooms", "places_of"]

FIRST_NUMBER = 70_001  # A job called 1 would be taken for every other 1 that passes.
FURNISHED = "furnished"

Room = Callable[[str], Broker]
"""Makes a room in a server that runs, by its name."""


@dataclass(frozen=True)
class Rooms:
    """Rooms for the stages of one map.

    `broker`: where the kind can have several; None: each stage starts its own; `peers`: in the servers of the app's own data, by
    their names; `are_set_up`: they have what setting up makes.
    """

    broker: Room | None = None
    peers: Mapping[str, Room] = field(default_factory=dict)
    are_set_up: bool = False

    @classmethod
    def shared(cls, parts: Parts, app: App, folder: RunFolder, stack: ExitStack) -> Rooms:
        """Start what is shared; the stack stops it. Where setting up makes tables, it makes them once, and every room is a copy.

        Raises: EnvironmentFailed.
        """
        around = Surroundings(parts, folder, places_of(parts, folder))
        site = Site(folder.data, folder.logs, folder.records, folder.run_id, around.without_agent())
        start_peers(parts, site, stack)
        server = parts.broker
        if not isinstance(server, HasRooms):
            return cls(None, {name: _room(peer) for name, peer in parts.peers.items()})
        stack.callback(server.stop)
        if not server.version:
            server.start(site)
        if not getattr(server, "copies_rooms", False):
            return cls(server.room, {name: _room(peer) for name, peer in parts.peers.items()})
        peers = {name: _room(peer)(FURNISHED) for name, peer in parts.peers.items()}
        furnished = replace(parts, broker=server.room(FURNISHED), peers=peers)
        set_up(furnished, Surroundings(furnished, folder, places_of(furnished, folder)), site)
        if isinstance(parts.queue, NumbersJobs):
            parts.queue.number_from(furnished.broker, app, FIRST_NUMBER)
        copies = {name: _room(peer, FURNISHED) for name, peer in parts.peers.items()}
        return cls(lambda name: server.room(name, like=FURNISHED), copies, True)


def _room(server: Broker, like: str | None = None) -> Room:
    if not isinstance(server, HasRooms):
        raise JobharnessBug(f"a peer of the kind {server.kind!r} has no rooms, and each trial needs one")
    return lambda name: server.room(name, like)


def places_of(parts: Parts, folder: RunFolder) -> dict[str, str]:
    """What placeholders stand for while the app is only asked."""
    nowhere = {"upstream.url": "http://127.0.0.1:9", "service.url": "http://127.0.0.1:9", "service.port": "9"}
    return {"broker.url": parts.broker.url, "run.folder": str(folder.data), **peer_places(parts), **nowhere}
