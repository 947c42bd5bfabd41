"""The seam: the machines of a run as it sees them, the one that it is on, and those on which further producers send.

records of this machine ---------.
records that others ship, live ---`--poll--> run --gather--> one History, on the clock of this machine
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from jobharness.history import log
from jobharness.history.follow import Follower, News
from jobharness.history.frame import History
from jobharness.runner.folder import RunFolder

__all__ = ["Nodes", "OneNode"]


class Nodes(Protocol):
    """Those of one run. `elsewhere`: the names of the nodes that send and that the run does not start; `join_within_s`: how long
    they may take until they can; `head_start_s`: how long before its first moment the workload has to be announced."""

    elsewhere: Sequence[str]
    join_within_s: float
    head_start_s: float

    def poll(self) -> list[News]:
        """What was recorded anywhere since the last call, its times on this machine's clock as far as that is known by now."""
        ...

    def failed(self) -> list[tuple[int, str]]:
        """`(process id, name)` of each process of this machine whose recorder said that it failed."""
        ...

    def said(self) -> Sequence[str]:
        """What is new to tell people, in lines: who joined, who was refused."""
        ...

    def heard_ns(self, name: str) -> int:
        """When a node elsewhere was last heard of, by this machine's clock; 0 for never."""
        ...

    def has_ended(self, name: str) -> bool:
        """Whether a node elsewhere has ended in order, with nothing left to tell."""
        ...

    def stop(self) -> None:
        """Those elsewhere are to send nothing more. Returns at once; safe to call twice."""
        ...

    def gather(self, header: Mapping[str, Any]) -> History:
        """The History of all of them. Raises: HistoryUnreadable."""
        ...


class OneNode:
    """This machine alone."""

    elsewhere: Sequence[str] = ()
    join_within_s = 60.0
    head_start_s = 0.05

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._follower = Follower(folder.records)

    def poll(self) -> list[News]:
        """What was recorded since the last call, in the order of time."""
        return self._follower.poll()

    def failed(self) -> list[tuple[int, str]]:
        """Those whose recorder said that it failed."""
        return self._follower.failed()

    def said(self) -> Sequence[str]:
        """Nothing."""
        return ()

    def heard_ns(self, name: str) -> int:
        """There is no other."""
        return 0

    def has_ended(self, name: str) -> bool:
        """There is no other."""
        return False

    def stop(self) -> None:
        """There is no other."""

    def gather(self, header: Mapping[str, Any]) -> History:
        """The History of its records."""
        return log.gather(self._folder.records, header)
