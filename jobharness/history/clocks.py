"""How far the clocks of a history's nodes are known, and the orders of events that they leave open.

Two events of different nodes closer than the sum of their nodes' bounds are concurrent. What hangs on the order of such two is
never decided: a history has one *world* for each way in which the clocks may truly have stood, and a verdict is only what they
all agree on (see `jobharness.contracts.agreement`).

    History --worlds--> as told, one clock early and another late …, all that may be concurrent together
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Clocks", "Node"]

Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Node:
    """A machine, or a process of a load test, whose records were taken apart from the others'.

    `offset_ns` was added to its times; its clock is known within `bound_ns` (0: it is the clock of the others). `vanished`: it
    had no orderly end, so that the last it had to tell may be missing. `processes`: how many of the history's are its own; they
    follow those of the node before. `jobs`, `events`: how many it tells of. `problem`: why nothing of what it told counts.
    """

    name: str
    host: str = ""
    offset_ns: int = 0
    bound_ns: int = 0
    vanished: bool = False
    processes: int = 0
    jobs: int = 0
    events: int = 0
    problem: str = ""


@dataclass(frozen=True, eq=False)
class Clocks:
    """The clocks of a history. `node`: (n_processes,) the number of each process's node; `bounds_ns`: (n_nodes,). `wide`: the
    history is the world in which whatever may be concurrent is; `narrow`: the one in which only what must be is."""

    node: npt.NDArray[np.intp]
    bounds_ns: Int64s
    wide: bool = False
    narrow: bool = False

    @classmethod
    def of(cls, header: Mapping[str, Any], nodes: Sequence[Node], n_processes: int) -> Clocks:
        """The clocks of the nodes; of one exact clock for all, where there are none."""
        owners = np.repeat(np.arange(len(nodes)), [node.processes for node in nodes])
        node = np.resize(owners, n_processes) if len(owners) == n_processes else np.zeros(n_processes, np.intp)
        bounds_ns = np.array([node.bound_ns for node in nodes] or [0], np.int64)
        return cls(node, bounds_ns, wide=bool(header.get("wide", False)), narrow=bool(header.get("narrow", False)))

    @property
    def exact(self) -> bool:
        """Whether every order of two events is known."""
        return not self.bounds_ns.any()

    def apart_ns(self, one: npt.NDArray[Any], other: npt.NDArray[Any]) -> Int64s:
        """How far apart events of these processes, (n,), may be and still be taken for concurrent.

        0 but in the world in which whatever may be concurrent is, and there 0 within one node.
        """
        mine, theirs = self.node[one], self.node[other]
        if not self.wide:
            return np.zeros(len(mine), np.int64)
        return np.where(mine == theirs, 0, self.bounds_ns[mine] + self.bounds_ns[theirs])

    @property
    def most_apart_ns(self) -> int:
        """The most that `apart_ns` can be."""
        return 2 * int(self.bounds_ns.max()) if self.wide else 0

    def shifts_ns(self) -> Iterator[Int64s]:
        """(n_nodes,) by how much each node's clock may be wrong: a few ways in which, for any two nodes, one is as early and the
        other as late as they can be, and the other way round."""
        unsure = np.flatnonzero(self.bounds_ns)
        codes = np.arange(len(unsure))
        for bit in range(max(1, int(len(unsure) - 1).bit_length())):
            signs = np.zeros(len(self.bounds_ns), np.int64)
            signs[unsure] = np.where(codes >> bit & 1, 1, -1)
            yield signs * self.bounds_ns
            yield -signs * self.bounds_ns
