"""Drain time: soon after the last job was sent, all acknowledged jobs are completed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from jobharness.clock import NS_PER_S
from jobharness.contracts.evidence import ms
from jobharness.contracts.promise import Evidence, Promise, offences
from jobharness.history.columns import NEVER
from jobharness.history.event import Kind
from jobharness.history.frame import History

__all__ = ["DrainTime"]


@dataclass(frozen=True)
class DrainTime(Promise):
    """Every acknowledged job is completed at most `within_s` after the end of the workload. Needs: the whole plan
    sent, the queue drained."""

    within_s: float
    name = "drain_time"
    needs = frozenset((Kind.ENQUEUE_ACKNOWLEDGED, Kind.JOB_FINISHED))
    nothing = "the workload never ended, or no job was acknowledged"

    @property
    def promise(self) -> str:
        """The promise, with its bound."""
        return f"the queue is drained {self.within_s:g} s after the last job was sent"

    def evidence(self, history: History) -> Evidence:
        """The jobs that were never completed first, then the last."""
        columns, tally = history.columns, history.tally
        sent = columns.rows(Kind.PRODUCER_DONE)
        jobs = np.flatnonzero(tally.count(Kind.ENQUEUE_ACKNOWLEDGED) > 0)
        if not len(sent):
            return Evidence(0, counts={"acknowledged": len(jobs), "late": 0, "never": 0}, most={"drain_ms": 0})
        done_ns = tally.completed_ns[jobs]
        never = done_ns == NEVER
        after_ns = np.where(never, NEVER, done_ns - columns["time_ns"][sent[-1]])
        late = after_ns > round(self.within_s * NS_PER_S)
        found = offences(
            pl.when("never")
            .then(pl.lit("never completed"))
            .otherwise(pl.format("completed {} ms after the last job was sent", "after")),
            job=jobs[late],
            weight=after_ns[late],
            after=ms(after_ns[late]),
            never=never[late],
        )
        counts = {"acknowledged": len(jobs), "late": int(late.sum()), "never": int(never.sum())}
        return Evidence(len(jobs), found, int(never.sum()), counts, {"drain_ms": int(ms(after_ns[~never]).max(initial=0))})

    def broken(self, figures: Mapping[str, int]) -> str:
        """How many were left."""
        return f"{figures['late']} jobs were not completed {self.within_s:g} s after the last was sent, {figures['never']} never"

    def kept(self, figures: Mapping[str, int]) -> str:
        """How long it took."""
        return f"the queue was drained {figures['drain_ms']} ms after the last job was sent"
