"""Follows what is recorded on this machine and what arrives from nodes, while it does, on this machine's clock.

The clock of a node is taken to stand as its quickest exchange says: enough to steer by and for statistics. Contracts judge by
`staging.nodes`, which knows the bounds.
"""

from __future__ import annotations

from pathlib import Path

from jobharness.errors import NodeUnreadable
from jobharness.history.follow import Follower, News
from jobharness.history.nodes import MOMENTS
from jobharness.staging.nodes import node_folders, read_node

__all__ = ["NODES", "NodesFollower"]

NODES = "nodes"
"""The folder, in that of a run's records, in which each node has its own."""


class NodesFollower:
    """Of a run's folder of records. The processes of a node are called NODE/NAME. Not for two threads at once."""

    def __init__(self, records: Path) -> None:
        self._own = Follower(records)
        self._folder = records / NODES
        self._nodes: dict[Path, Follower] = {}

    def poll(self) -> list[News]:
        """What was recorded, or arrived, since the last call."""
        news = self._own.poll()
        for folder in node_folders(self._folder):
            if folder not in self._nodes:
                self._nodes[folder] = Follower(folder)
            try:
                arrived = self._nodes[folder].poll()
            except FileNotFoundError:
                continue  # It cannot take part after all, and its folder was just taken away.
            if arrived:
                offset_ns = _offset_ns(folder)
                news += [_moved(one, folder.name, offset_ns) for one in arrived]
        return news

    def failed(self) -> list[tuple[int, str]]:
        """Those of this machine whose recorder said that it failed; what a node's said is in its History."""
        return self._own.failed()


def _offset_ns(folder: Path) -> int:
    """What is to be added to a node's times; 0 while nothing is known."""
    try:
        exchanges = read_node(folder).exchanges
    except NodeUnreadable:
        return 0
    best = min(exchanges, key=lambda each: each.round_trip_ns, default=None)
    return best.offset_ns if best is not None else 0


def _moved(one: News, node: str, offset_ns: int) -> News:
    value = one.value + offset_ns if one.kind in MOMENTS and one.value else one.value
    return one._replace(time_ns=one.time_ns + offset_ns, value=value, name=f"{node}/{one.name}")
