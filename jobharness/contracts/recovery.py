"""Recovery within a bound: what a fault hit is completed soon after.

For every job that was in flight where a fault struck, the time from the strike to the job's next completion (its
code returned, or it ended for good by its own doing) is at most the bound. A job hit twice counts from each strike
on its own. A job that had been completed before the strike (it was being delivered again) has nothing to recover; nor
has an enqueue that the fault prevented: begun, never acknowledged, never seen by a worker.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from jobharness.clock import NS_PER_S
from jobharness.contracts.contract import Finding, Word
from jobharness.contracts.evidence import ms
from jobharness.contracts.promise import Evidence, Promise, could_not_see, offences
from jobharness.history.columns import NEVER, Tally
from jobharness.history.event import Kind
from jobharness.history.frame import History

__all__ = ["Recovery"]


@dataclass(frozen=True)
class Recovery(Promise):
    """Each job that a fault hit is completed within `within_s` seconds of the strike. Needs: faults that hit jobs, the
    queue drained."""

    within_s: float
    name = "recovery"
    needs = frozenset((Kind.JOB_RUNNING, Kind.JOB_FINISHED))

    @property
    def promise(self) -> str:
        """The promise, with its bound."""
        return f"each job that a fault hit is completed within {self.within_s:g} s"

    def evidence(self, history: History) -> Evidence:
        """The jobs that were never completed first, then the slowest."""
        columns = history.columns
        rows = columns.rows_of_jobs(Kind.FAULT_HIT)
        rows = rows[_was_there(history.tally)[columns["job"][rows]]]
        job = columns["job"][rows]
        # The first completion decides: where it came before the strike, nothing was left to recover.
        done_ns = history.tally.completed_ns[job]
        never = done_ns == NEVER
        took_ns = np.where(never, NEVER, np.maximum(done_ns - columns["time_ns"][rows], 0))
        late = took_ns > round(self.within_s * NS_PER_S)
        found = offences(
            pl.when("never")
            .then(pl.lit("never completed after the fault hit it"))
            .otherwise(pl.format("completed {} ms after the fault hit it", "took")),
            job=job[late],
            row=rows[late],
            weight=took_ns[late],
            took=ms(took_ns[late]),
            never=never[late],
        )
        counts = {"hit": len(rows), "late": int(late.sum()), "never": int(never.sum())}
        return Evidence(len(rows), found, int(never.sum()), counts, {"slowest_ms": int(ms(took_ns[~never]).max(initial=0))})

    def conclude(self, evidence: Evidence, history: History) -> Finding:
        """As every promise, but vacuous where no fault hit a job."""
        if not evidence.judged and not could_not_see(history):
            return Finding(self.name, Word.VACUOUS, "no fault hit a job in flight", {"hit": 0})
        return super().conclude(evidence, history)

    def broken(self, figures: Mapping[str, int]) -> str:
        """How many were late, how many of them never came."""
        late, hit, never = figures["late"], figures["hit"], figures["never"]
        return f"{late} of {hit} jobs hit were not completed within {self.within_s:g} s, {never} never"

    def kept(self, figures: Mapping[str, int]) -> str:
        """The slowest."""
        return f"all {figures['hit']} jobs hit were completed, the slowest after {figures['slowest_ms'] / 1000:.1f} s"


def _was_there(tally: Tally) -> npt.NDArray[np.bool_]:
    """Per job: whether it was more than an enqueue that nobody can tell the outcome of."""
    seen = tally.count(Kind.ENQUEUE_ACKNOWLEDGED, Kind.SCHEDULE_TICK, Kind.JOB_RECEIVED, Kind.JOB_RUNNING) > 0
    return np.asarray(seen | (tally.count(Kind.ENQUEUE_BEGIN) == 0))
