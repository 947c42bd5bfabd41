"""The nodes that told a merged history, in words: what the terminal and the page show of them."""

from __future__ import annotations

import polars as pl

from jobharness.history.clocks import Node
from jobharness.history.event import Kind
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
    """A row for each node, its cells as in `COLUMNS`, or for each of several producers of one machine, such as Locust's.

    None for a history that was told in one place, by one producer.
    """
    return [_row(number, node) for number, node in enumerate(history.nodes)] or _producers(history)


def _producers(history: History) -> list[tuple[str, ...]]:
    ready = history.of(Kind.PRODUCER_READY).select("process").collect()["process"].unique()
    told = history.events.filter(pl.col("process").is_in(ready.implode()))
    numbers = told.group_by("process").agg(
        jobs=pl.col("job").n_unique() - pl.col("job").is_null().any().cast(pl.UInt32),
        events=pl.len(),
        done=(pl.col("kind") == int(Kind.PRODUCER_DONE)).any(),
    )
    names = history.processes.with_row_index("process").with_columns(pl.col("process").cast(pl.UInt32))
    rows = numbers.join(names, on="process").sort("name").iter_rows(named=True)
    found: list[tuple[str, ...]] = [
        (
            row["name"],
            row["host"],
            "none",
            "exact",
            f"{row['jobs']:,}",
            f"{row['events']:,}",
            "whole" if row["done"] else "vanished",
        )
        for row in rows
    ]
    return found if len({name for name, *_ in found}) > 1 else []


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
