"""Gathers what several nodes recorded: a folder for each, with the records of its processes and a `node.json`.

    folder/master/*.rec, *.texts, node.json     {"name": "master", "host": "h1", "master": true, "ended": true}
    folder/locust-1/*.rec, *.texts, node.json   {"name": "locust-1", "host": "h2", "exchanges": [[1, 2, 3, 4]], "ended": true}

Whoever runs a node writes its `node.json` when it begins, and again with each exchange and at its orderly end (`NodeFile`): a
node whose last one does not say that it ended has vanished.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any

from jobharness.errors import ClocksUnknown, NodeUnreadable
from jobharness.history import log
from jobharness.history.clocks import Node
from jobharness.history.frame import History
from jobharness.history.nodes import merge
from jobharness.staging.offsets import DRIFT_PPM, MOST_APART_S, Exchange, offset_of

__all__ = ["NODE_FILE", "NodeFile", "gather", "gather_around", "node_folders", "read_node", "write_node"]

NODE_FILE = "node.json"
MOST_EXCHANGES = 512


@dataclass(frozen=True)
class NodeFile:
    """What a node says of itself. `master`: all times are moved to its clock; `exchanges`: of the others with it, in any order;
    `ended`: in order, with nothing left to tell. `unseen`: the kinds of event that nobody can tell of what it speaks for."""

    name: str
    host: str = ""
    master: bool = False
    exchanges: tuple[Exchange, ...] = ()
    ended: bool = False
    unseen: tuple[str, ...] = ()

    @classmethod
    def here(cls, name: str, *, master: bool = False) -> NodeFile:
        """That of a node of this machine, which has just begun."""
        return cls(name, socket.gethostname(), master)

    def exchanged(self, exchange: Exchange) -> NodeFile:
        """With one more exchange of times; of very many every second of the older ones goes."""
        exchanges = (*self.exchanges, exchange)
        return replace(self, exchanges=exchanges[::2] if len(exchanges) > MOST_EXCHANGES else exchanges)

    def as_ended(self) -> NodeFile:
        """After its orderly end."""
        return replace(self, ended=True)


def write_node(folder: Path, node: NodeFile) -> None:
    """Write what a node says of itself into its folder, which is made where it is missing. All or nothing; safe to repeat."""
    folder.mkdir(parents=True, exist_ok=True)
    exchanges = [astuple(each) for each in node.exchanges]
    said = {"name": node.name, "host": node.host, "master": node.master, "exchanges": exchanges, "ended": node.ended}
    if node.unseen:
        said["unseen"] = list(node.unseen)
    partial = folder / (NODE_FILE + ".partial")
    partial.write_text(json.dumps(said), encoding="utf-8")
    partial.replace(folder / NODE_FILE)


def read_node(folder: Path) -> NodeFile:
    """What the node whose folder it is said of itself. Raises: NodeUnreadable."""
    path = folder / NODE_FILE
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        exchanges = tuple(Exchange(*map(int, four)) for four in said.get("exchanges", ()))
        name = str(said["name"])
        unseen = tuple(map(str, said.get("unseen", ())))
        return NodeFile(name, str(said.get("host", "")), bool(said.get("master")), exchanges, bool(said.get("ended")), unseen)
    except FileNotFoundError:
        raise NodeUnreadable(str(folder), f"has no {NODE_FILE}, which says whose records these are") from None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        problem = f'is no {NODE_FILE}: expected {{"name": …, "host": …, "exchanges": [[four times]], "ended": …}} ({error!r})'
        raise NodeUnreadable(str(path), problem) from None


def gather(
    folder: Path, header: Mapping[str, Any] | None = None, *, drift_ppm: int = DRIFT_PPM, most_apart_s: float = MOST_APART_S
) -> History:
    """The History of all nodes whose folders are in `folder`, on the master's clock.

    Where none is the master, the first by name is taken for it, and its clock for all. `header`: what the History says of itself
    beside `nodes`; see `history.clocks.Node` for what is known of each. A node that said nothing of its end has vanished.

    Raises: NodeUnreadable, ClocksUnknown, HistoryUnreadable; nothing is written. Cost: linear but for the sorts by time.
    """
    told = [(read_node(place), place) for place in node_folders(folder)]
    if not told:
        raise NodeUnreadable(str(folder), f"has no folder of a node (FOLDER/NODE/{NODE_FILE} and the node's *.rec files)")
    _check(folder, [node for node, _ in told])
    told.sort(key=lambda pair: (not pair[0].master, pair[0].name))
    histories = [(node, log.gather(place, {})) for node, place in told]
    placed = [
        (_placed(node, history, drift_ppm, most_apart_s, first=not number), history)
        for number, (node, history) in enumerate(histories)
    ]
    return _merged(placed, [node for node, _ in told], header or {})


def gather_around(master: str, records: Path, folder: Path, header: Mapping[str, Any]) -> History:
    """The History of a run: its own `records`, and those of the nodes whose folders are in `folder`.

    What a node told whose clock is not known counts for nothing, and it has vanished: the run is over, and is judged as far as
    it can be. Raises: HistoryUnreadable.
    """
    own = (Node(master, NodeFile.here(master).host), log.gather(records, {}))
    told, placed = [(read_node(place), place) for place in node_folders(folder)], [own]
    for node, place in told:
        history = log.gather(place, {})
        try:
            placed.append((_placed(node, history, DRIFT_PPM, MOST_APART_S, first=False), history))
        except ClocksUnknown as error:
            nothing = log.gather(folder, {})  # Records are in the nodes' own folders.
            placed.append((Node(node.name, node.host, vanished=True, problem=error.problem), nothing))
    return _merged(placed, [node for node, _ in told], header)


def node_folders(folder: Path) -> list[Path]:
    """The folders of the nodes in a folder, by name; none where there is no such folder."""
    return sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []


def _merged(placed: Sequence[tuple[Node, History]], nodes: Sequence[NodeFile], header: Mapping[str, Any]) -> History:
    unseen = sorted({kind for node in nodes for kind in node.unseen})
    return merge(placed, {"schema": log.HISTORY_SCHEMA, **({"unseen": unseen} if unseen else {}), **header})


def _check(folder: Path, nodes: Sequence[NodeFile]) -> None:
    names = [node.name for node in nodes]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise NodeUnreadable(str(folder), f"has two nodes called {twice[0]}; give each its own name")
    masters = [node.name for node in nodes if node.master]
    if len(masters) > 1:
        raise NodeUnreadable(str(folder), f"has {len(masters)} masters ({', '.join(masters)}); one clock can be that of all")


def _placed(node: NodeFile, history: History, drift_ppm: int, most_apart_s: float, *, first: bool) -> Node:
    """The node with its offset, as long as it told something."""
    if first or not len(history):
        return Node(node.name, node.host, vanished=not node.ended)
    from_ns, to_ns = int(history.columns["time_ns"][0]), history.end_ns
    offset = offset_of(node.name, node.exchanges, from_ns, to_ns, drift_ppm, most_apart_s)
    return Node(node.name, node.host, offset.offset_ns, offset.bound_ns, vanished=not node.ended)
