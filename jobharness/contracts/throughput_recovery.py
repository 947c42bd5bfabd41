"""Throughput recovers: some time after a fault, the queue completes as much as before, or has nothing left to do.

Throughput is counted in bins of one second. Before: the median of the whole bins from the second one after the first
acknowledged job to the first strike. After a strike: the first bin that begins `within` after it. Strikes that are
followed by another before that bin is over are not judged; the last of such a series is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from jobharness.clock import NS_PER_S
from jobharness.contracts.contract import Finding, Word
from jobharness.contracts.promise import Evidence, RunPromise, could_not_see, offences
from jobharness.history.columns import NEVER, Int64s
from jobharness.history.event import Kind
from jobharness.history.frame import History
from jobharness.history.slices import slices

__all__ = ["ThroughputRecovery"]

BIN_NS = NS_PER_S
FEWEST_BINS = 3


@dataclass(frozen=True)
class ThroughputRecovery(RunPromise):
    """`within_s` after a strike, jobs are completed at `share` of the median rate before the first one, or no
    acknowledged job is waiting.

    Needs: faults, some seconds of traffic before the first, recorders alive.
    """

    within_s: float
    share: float = 0.9
    name = "throughput_recovery"
    needs = frozenset((Kind.ENQUEUE_ACKNOWLEDGED, Kind.JOB_RUNNING, Kind.JOB_FINISHED))

    @property
    def promise(self) -> str:
        """The promise, with its bound."""
        return f"{self.within_s:g} s after a fault, throughput is back to {self.share:.0%} of its median before"

    def observe(self, history: History) -> pl.DataFrame:
        """`bin, acknowledged, completed`: how many jobs were acknowledged, and completed for the first time, in each
        second."""
        tally, times = history.tally, history.columns["time_ns"]
        first, last = (int(times[place]) // BIN_NS for place in (0, -1)) if len(times) else (0, -1)
        acknowledged, completed = (np.zeros(last - first + 1, np.int64) for _ in range(2))
        acknowledged_ns = tally.first_in(Kind.ENQUEUE_ACKNOWLEDGED)
        for some in slices(history.jobs.height):
            arrived_ns, done_ns = acknowledged_ns(some), tally.completed_ns[some]
            for counts, moments_ns, mine in (
                (acknowledged, arrived_ns, arrived_ns != NEVER),
                (completed, done_ns, (arrived_ns != NEVER) & (done_ns != NEVER)),
            ):
                counts += np.bincount(moments_ns[mine] // BIN_NS - first, minlength=len(counts))
        bins = pl.DataFrame({"bin": np.arange(first, last + 1), "acknowledged": acknowledged, "completed": completed})
        return bins.filter((pl.col("acknowledged") > 0) | (pl.col("completed") > 0))

    def weigh(self, observed: pl.DataFrame, history: History) -> Evidence:
        """The strikes after which throughput stayed low, the lowest first."""
        columns, rows = history.columns, history.columns.rows(Kind.FAULT_BEGIN)
        strikes_ns = columns["time_ns"][rows]
        bins = observed.group_by("bin").agg(pl.col("acknowledged", "completed").sum()).sort("bin")
        before = self._before(bins, strikes_ns)
        if before is None:
            return Evidence(0, counts={"strikes": len(rows), "low": 0})
        within_ns = round(self.within_s * NS_PER_S)
        after = -(-(strikes_ns + within_ns) // BIN_NS)  # The first bin that begins then, or later.
        over_ns = (after + 1) * BIN_NS
        judged = np.append(strikes_ns[1:] > over_ns[:-1], True)
        first = int(bins["bin"].min() or 0)  # type: ignore[arg-type]  # polars types min() as any literal
        completed, arrived = (_dense(bins, name, first, int(after.max())) for name in ("completed", "acknowledged"))
        waiting = np.cumsum(arrived) - np.cumsum(completed)
        rate = completed[after - first]
        low = judged & (rate < self.share * before) & (waiting[after - first] > 0)
        found = offences(
            pl.format("{} jobs/s, where {} jobs/s were the median before", "rate", pl.lit(f"{before:g}")),
            job=None,
            row=rows[low],
            weight=-rate[low],
            rate=rate[low],
        )
        counts = {"strikes": int(judged.sum()), "low": int(low.sum())}
        return Evidence(counts["strikes"], found, 0, counts, {"median_before": round(before)})

    def _before(self, bins: pl.DataFrame, strikes_ns: Int64s) -> float | None:
        """The median of completions in the bins before the first strike; None where there are too few, or was no
        strike."""
        if not len(strikes_ns) or not bins.height:
            return None
        started = bins.filter(pl.col("acknowledged") > 0)["bin"].min()
        struck = int(strikes_ns[0]) // BIN_NS
        if started is None or struck - int(started) - 1 < FEWEST_BINS:  # type: ignore[arg-type]  # as above
            return None
        before = _dense(bins, "completed", int(started) + 1, struck - 1)  # type: ignore[arg-type]  # as above
        return float(np.median(before.astype(np.float64)))

    def conclude(self, evidence: Evidence, history: History) -> Finding:
        """As every promise, but vacuous where there was no fault."""
        if not len(history.columns.rows(Kind.FAULT_BEGIN)) and not could_not_see(history):
            return Finding(self.name, Word.VACUOUS, "no fault struck", evidence.figures)
        return super().conclude(evidence, history)

    nothing = f"there were less than {FEWEST_BINS} whole seconds of traffic before the first fault"

    def broken(self, figures: Mapping[str, int]) -> str:
        """How many strikes left it low."""
        return f"after {figures['low']} of {figures['strikes']} strikes throughput was not back within {self.within_s:g} s"

    def kept(self, figures: Mapping[str, int]) -> str:
        """How many strikes were judged."""
        return f"after each of {figures['strikes']} strikes throughput was back within {self.within_s:g} s"


def _dense(bins: pl.DataFrame, name: str, first: int, last: int) -> Int64s:
    """One value for each bin from `first` to `last`, both included; 0 where there is none."""
    out = np.zeros(max(0, last - first + 1), np.int64)
    inside = bins.filter((pl.col("bin") >= first) & (pl.col("bin") <= last))
    out[inside["bin"].to_numpy() - first] = inside[name].to_numpy()
    return out
