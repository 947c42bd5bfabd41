"""Recovery within a bound: what a fault hit is completed soon after.

For every job that was in flight where a fault struck, the time from the strike to the job's next completion (its
code returned, or it
ended for good by its own doing) is at most the bound. A job hit twice counts from each strike on its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from jobharness.clock import NS_PER_S
from jobharness.contracts.at_least_once import blind_spot
from jobharness.contracts.contract import Finding, Word
from jobharness.history.event import Dead, Kind
from jobharness.history.frame import History

__all__ = ["Recovery"]


@dataclass(frozen=True)
class Recovery:
    """Each job that a fault hit is completed within `within_s` seconds of the strike. Needs: faults that hit jobs,
    the queue drained."""

    within_s: float
    name = "recovery"

    @property
    def promise(self) -> str:
        """The promise, with its bound."""
        return f"each job that a fault hit is completed within {self.within_s:g} s"

    def check(self, history: History) -> Finding:
        """Broken with the slowest jobs first, those never completed before all; vacuous where no fault hit a job."""
        hits = history.of(Kind.FAULT_HIT).filter(pl.col("job").is_not_null()).collect()
        if not hits.height:
            return Finding(self.name, Word.VACUOUS, "no fault hit a job in flight", {"hit": 0})
        measured = self._measure(history, hits)
        late = measured.filter(pl.col("took_ns").is_null() | (pl.col("took_ns") > round(self.within_s * NS_PER_S)))
        never = late.filter(pl.col("took_ns").is_null()).height
        slowest_ns = int(measured["took_ns"].max() or 0)  # type: ignore[arg-type]  # polars types max() as any literal
        counts = {"hit": measured.height, "late": late.height, "never": never, "slowest_ms": slowest_ns // 1_000_000}
        offenders = late.sort("took_ns", descending=True, nulls_last=False).select("job", "row", why=_why())
        if late.height and (reason := blind_spot(history, never) if never == late.height else ""):
            return Finding(self.name, Word.UNKNOWN, f"{never} jobs were not seen to recover, but {reason}", counts, offenders)
        if late.height:
            sentence = f"{late.height} of {measured.height} jobs hit were not completed within {self.within_s:g} s, {never} never"
            return Finding(self.name, Word.BROKEN, sentence, counts, offenders)
        sentence = f"all {measured.height} jobs hit were completed, the slowest after {slowest_ns / NS_PER_S:.1f} s"
        return Finding(self.name, Word.HOLDS, sentence, counts)

    def _measure(self, history: History, hits: pl.DataFrame) -> pl.DataFrame:
        """`job`, `row` of the hit, `took_ns` (null: never completed) for each hit."""
        for_good = (pl.col("kind") == int(Kind.JOB_DEAD)) & (pl.col("value") != int(Dead.WORKER_LOST))
        ends = (
            history.rows.filter((pl.col("kind") == int(Kind.JOB_FINISHED)) | for_good)
            .filter(pl.col("job").is_not_null())
            .select("job", end_ns="time_ns", time_ns="time_ns")
            .sort("time_ns")
        )
        joined = hits.lazy().sort("time_ns").join_asof(ends, on="time_ns", by="job", strategy="forward", check_sortedness=False)
        return joined.select("job", "row", took_ns=pl.col("end_ns") - pl.col("time_ns")).collect()


def _why() -> pl.Expr:
    return (
        pl.when(pl.col("took_ns").is_null())
        .then(pl.lit("never completed after the fault hit it"))
        .otherwise(pl.format("completed {} ms after the fault hit it", pl.col("took_ns") // 1_000_000))
    )
