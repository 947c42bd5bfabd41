"""The nodes that told a merged history, in words: what the terminal and the page show of them."""

from __future__ import annotations

from jobharness.history.clocks import Node
from jobharness.history.frame import History

__all__ = ["COLUMNS", "node_rows"]

COLUMNS = {
    "node": "left",
    "host": "left",
    "clock ahead by": "right",
    "known to": "right",
    "jobs": "right",
    "events": "right",
    "end": "left",
}
"""What each cell of a row says, and where it stands in its column."""

_UNITS = ((1e9, "s"), (1e6, "ms"), (1e3, "us"))


def node_rows(history: History) -> list[tuple[str, ...]]:
    """A row for each node, its cells as in `COLUMNS`; none for a history that was told in one place."""
    return [_row(number, node) for number, node in enumerate(history.nodes)]


def _row(number: int, node: Node) -> tuple[str, ...]:
    # The offset is what was added to its times: a clock that is ahead has a negative one.
    ahead = _span(-node.offset_ns) if number else "all are moved to it"
    known = f"± {_span(node.bound_ns)}" if node.bound_ns else "exact"
    end = "vanished" if node.vanished else "whole"
    return node.name, node.host, ahead, known, f"{node.jobs:,}", f"{node.events:,}", end


def _span(span_ns: int) -> str:
    for size, unit in _UNITS:
        if abs(span_ns) >= size:
            return f"{span_ns / size:,.3f} {unit}"
    return f"{span_ns} ns"
