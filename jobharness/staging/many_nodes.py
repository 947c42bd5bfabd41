"""The machines of a load test whose Locust workers join from elsewhere, as its run sees them: by what `reception` writes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jobharness.clock import now_ns
from jobharness.history.follow import News
from jobharness.history.frame import History
from jobharness.runner.folder import RunFolder
from jobharness.staging.following import NODES, NodesFollower
from jobharness.staging.messages import node_name
from jobharness.staging.nodes import NODE_FILE, gather_around, read_node

__all__ = ["OVER", "SAID", "ManyNodes"]

OVER = "over"
"""The file whose appearance tells the nodes to send nothing more."""
SAID = "said"
"""The file of what people are told, a line of JSON each."""


class ManyNodes:
    """Of one run, in whose folder of records each has its own. See `jobharness.runner.nodes.Nodes`."""

    join_within_s = 600.0
    head_start_s = 1.0  # A node asks four times a second whether it may begin.

    def __init__(self, folder: RunFolder, count: int) -> None:
        self.elsewhere: Sequence[str] = [node_name(number) for number in range(1, count + 1)]
        self._records = folder.records
        self._folder = folder.records / NODES
        self._folder.mkdir()
        (self._folder / SAID).touch()
        self._follower = NodesFollower(folder.records)
        self._told = 0
        self._heard: dict[str, tuple[int, int]] = {}

    def poll(self) -> list[News]:
        """What was recorded here, or arrived, since the last call."""
        return self._follower.poll()

    def failed(self) -> list[tuple[int, str]]:
        """Those of this machine."""
        return self._follower.failed()

    def said(self) -> Sequence[str]:
        """Who joined, who was refused, since the last call."""
        file = self._folder / SAID
        if file.stat().st_size == self._told:
            return ()
        with file.open("rb") as lines:
            lines.seek(self._told)
            fresh = lines.read()
        whole = fresh[: fresh.rfind(b"\n") + 1]
        self._told += len(whole)
        return [json.loads(line) for line in whole.splitlines()]

    def heard_ns(self, name: str) -> int:
        """When it was last seen that its `node.json` had been written again, which each of its beats does."""
        changed_ns = _changed_ns(self._folder / name / NODE_FILE)
        if changed_ns and self._heard.get(name, (0, 0))[0] != changed_ns:
            self._heard[name] = (changed_ns, now_ns())
        return self._heard.get(name, (0, 0))[1]

    def has_ended(self, name: str) -> bool:
        """Whether it has said so."""
        return bool(_changed_ns(self._folder / name / NODE_FILE)) and read_node(self._folder / name).ended

    def stop(self) -> None:
        """Write the file that they are told of with their next beat."""
        (self._folder / OVER).touch()

    def gather(self, header: Mapping[str, Any]) -> History:
        """The History of all of them, on this machine's clock. Raises: HistoryUnreadable."""
        return gather_around("master", self._records, self._folder, header)


def _changed_ns(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
