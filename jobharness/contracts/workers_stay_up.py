"""Workers stay up: none exits but by a fault that ended it, or at the end of the run.

A broker that is away for some seconds, a task that raises, an exhausted connection: a worker survives them. Excused
are exits of a process that a fault of the scenario struck, and those after the run began to stop its workers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from jobharness.contracts.promise import Evidence, Promise, offences
from jobharness.history.columns import NEVER, Int64s
from jobharness.history.event import Kind
from jobharness.history.frame import History

__all__ = ["WorkersStayUp", "unprovoked_exits"]


@dataclass(frozen=True)
class WorkersStayUp(Promise):
    """At most `allowed` workers exit unprovoked. Needs: the harness's own records."""

    allowed: int = 0
    name = "workers_stay_up"
    needs = frozenset((Kind.WORKER_STARTED,))
    nothing = "no worker was started"

    @property
    def promise(self) -> str:
        """The promise."""
        return (
            "no worker exits that no fault ended"
            if not self.allowed
            else f"at most {self.allowed} workers exit that no fault ended"
        )

    def evidence(self, history: History) -> Evidence:
        """Nothing: it is about workers."""
        return Evidence(0)

    def of_run(self, history: History) -> Evidence:
        """The exits, in their order."""
        rows, codes = unprovoked_exits(history)
        started = len(history.columns.rows(Kind.WORKER_STARTED))
        counts = {"started": started, "exits": len(rows)}
        if len(rows) <= self.allowed:
            return Evidence(started, counts=counts)
        found = offences(
            pl.format("exited by itself with code {}", "code"), job=None, row=rows, weight=np.zeros(len(rows)), code=codes
        )
        return Evidence(started, found, counts=counts)

    def broken(self, figures: Mapping[str, int]) -> str:
        """How many exited."""
        return f"{figures['exits']} workers exited, though no fault ended them"

    def kept(self, figures: Mapping[str, int]) -> str:
        """How many were started."""
        return (
            f"none of {figures['started']} workers exited unprovoked"
            if not figures["exits"]
            else f"{figures['exits']} exits, no more"
        )


def unprovoked_exits(history: History) -> tuple[Int64s, Int64s]:
    """Rows and exit codes of the exits that no fault, and not the end of the run, explains."""
    columns = history.columns
    text, value = columns["text"], columns["value"]
    stop_ns = history.phase_ns("stop")
    struck: dict[int, int] = {}  # Process id -> row of the first strike.
    for row in columns.rows(Kind.FAULT_HIT).tolist():
        struck.setdefault(int(value[row]), row)
    started = columns.rows(Kind.WORKER_STARTED)
    found = []
    for row in columns.rows(Kind.WORKER_EXITED).tolist():
        mine = [int(value[start]) for start in started[started < row] if text[start] == text[row]]
        provoked = bool(mine) and struck.get(mine[-1], NEVER) < row
        if not provoked and (stop_ns is None or columns["time_ns"][row] < stop_ns):
            found.append(row)
    rows = np.array(found, np.int64)
    return rows, value[rows]
