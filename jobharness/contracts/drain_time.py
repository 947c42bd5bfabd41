"""Drain time: soon after the last job was sent, all acknowledged jobs are completed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from jobharness.contracts.evidence import Waits, ms
from jobharness.contracts.promise import Evidence, Promise, offences
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
        acknowledged = tally.has(Kind.ENQUEUE_ACKNOWLEDGED)
        count = int(acknowledged.sum())
        if not len(sent):
            return Evidence(0, counts={"acknowledged": count, "late": 0, "never": 0}, most={"drain_ms": 0})
        waits = Waits(acknowledged, columns["time_ns"][sent[-1]], tally.completed_ns.__getitem__, self.within_s)
        found = offences(
            pl.when("never")
            .then(pl.lit("never completed"))
            .otherwise(pl.format("completed {} ms after the last job was sent", "after")),
            job=waits.late,
            weight=waits.late_by_ns,
            after=ms(waits.late_by_ns),
            never=waits.never,
        )
        never = int(waits.never.sum())
        counts = {"acknowledged": count, "late": len(waits.late), "never": never}
        return Evidence(count, found, never, counts, {"drain_ms": waits.longest_ms})

    def broken(self, figures: Mapping[str, int]) -> str:
        """How many were left."""
        return f"{figures['late']} jobs were not completed {self.within_s:g} s after the last was sent, {figures['never']} never"

    def kept(self, figures: Mapping[str, int]) -> str:
        """How long it took."""
        return f"the queue was drained {figures['drain_ms']} ms after the last job was sent"
