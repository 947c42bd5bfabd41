"""Slots freed: a worker whose execution was ended by its time limit goes on to run other jobs.

Decided where there was work: for the last execution of a worker that timed out, if jobs began on other workers more
than `within` after it, but none began on this one, its slot was not given back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from jobharness.clock import NS_PER_S
from jobharness.contracts.promise import Evidence, RunPromise, offences
from jobharness.history.event import Kind
from jobharness.history.frame import History

__all__ = ["SlotsFreed"]


@dataclass(frozen=True)
class SlotsFreed(RunPromise):
    """After a time limit struck, its worker begins another job within `within_s`, or there was no work. Needs:
    recorders alive."""

    within_s: float
    name = "slots_freed"
    needs = frozenset((Kind.JOB_RUNNING, Kind.JOB_TIMED_OUT))
    nothing = "no execution was ended by its time limit"

    @property
    def promise(self) -> str:
        """The promise, with its bound."""
        return f"a worker whose job timed out takes another within {self.within_s:g} s"

    def observe(self, history: History) -> pl.DataFrame:
        """Of each worker: its last begin, and the last execution that timed out. Columns `worker, begin_ns, end_ns,
        job, row`."""
        executions = history.executions
        timed_out = executions.end_kind == int(Kind.JOB_TIMED_OUT)
        last = np.full(len(history.workers), -1, np.int64)
        last[history.workers[executions.process]] = np.arange(len(executions))  # Of several the last stays.
        kept = np.union1d(np.flatnonzero(timed_out), last[last >= 0])
        return pl.DataFrame(
            {
                "worker": history.workers[executions.process[kept]],
                "begin_ns": executions.begin_ns[kept],
                "end_ns": np.where(timed_out[kept], executions.alive_ns[kept], -1),
                "job": executions.job[kept],
                "row": executions.row[kept],
            }
        )

    def weigh(self, observed: pl.DataFrame, history: History) -> Evidence:
        """Compare each worker's last time-out with its own later begins, and with those of the others."""
        begins = observed.group_by("worker").agg(pl.col("begin_ns").max())
        latest = begins["begin_ns"].max()
        last = observed.filter(pl.col("end_ns") >= 0).sort("end_ns", "row").group_by("worker").last().drop("begin_ns")
        idle = last.join(begins, on="worker").filter(
            (pl.col("begin_ns") < pl.col("end_ns")) & (pl.lit(latest) > pl.col("end_ns") + round(self.within_s * NS_PER_S))
        )
        count = observed.filter(pl.col("end_ns") >= 0).height
        found = offences(
            "after it timed out, its worker began no other job",
            job=idle["job"].to_numpy(),
            row=idle["row"].to_numpy(),
            weight=-idle["end_ns"].to_numpy(),
        )
        return Evidence(count, found, idle.height, {"timed_out": count, "not_freed": idle.height})

    def broken(self, figures: Mapping[str, int]) -> str:
        """How many workers stood still."""
        return f"{figures['not_freed']} workers began no other job after one had timed out"

    def kept(self, figures: Mapping[str, int]) -> str:
        """How many timed out."""
        return f"after each of {figures['timed_out']} time-outs the slot was free again, or not needed"
