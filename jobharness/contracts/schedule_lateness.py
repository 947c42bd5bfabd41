"""Schedule lateness: a job with a time of its own begins soon enough after it."""

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

__all__ = ["ScheduleLateness"]


@dataclass(frozen=True)
class ScheduleLateness(Promise):
    """Every acknowledged job with a countdown or eta begins within `within_s` of its time. Needs: the queue drained,
    recorders alive."""

    within_s: float
    name = "schedule_lateness"
    needs = frozenset((Kind.ENQUEUE_NOT_BEFORE, Kind.ENQUEUE_ACKNOWLEDGED, Kind.JOB_RUNNING))
    nothing = "no job was delayed"

    @property
    def promise(self) -> str:
        """The promise, with its bound."""
        return f"every delayed job begins within {self.within_s:g} s of its time"

    def evidence(self, history: History) -> Evidence:
        """The jobs that never began first, then the latest."""
        tally = history.tally
        due_ns = tally.first_value(Kind.ENQUEUE_NOT_BEFORE)
        jobs = np.flatnonzero((due_ns != NEVER) & (tally.count(Kind.ENQUEUE_ACKNOWLEDGED) > 0))
        begun_ns = tally.first_ns(Kind.JOB_RUNNING)[jobs]
        never = begun_ns == NEVER
        late_ns = np.where(never, NEVER, begun_ns - due_ns[jobs])
        late = late_ns > round(self.within_s * NS_PER_S)
        found = offences(
            pl.when("never").then(pl.lit("never began")).otherwise(pl.format("began {} ms after its time", "by")),
            job=jobs[late],
            weight=late_ns[late],
            by=ms(late_ns[late]),
            never=never[late],
        )
        counts = {"delayed": len(jobs), "late": int(late.sum()), "never": int(never.sum())}
        latest = int(ms(late_ns[~never]).max(initial=0))
        return Evidence(len(jobs), found, int(never.sum()), counts, {"latest_ms": latest})

    def broken(self, figures: Mapping[str, int]) -> str:
        """How many were late, how many of them never came."""
        late, delayed, never = figures["late"], figures["delayed"], figures["never"]
        return f"{late} of {delayed} delayed jobs did not begin within {self.within_s:g} s, {never} never"

    def kept(self, figures: Mapping[str, int]) -> str:
        """The latest."""
        return f"all {figures['delayed']} delayed jobs began in time, the latest after {figures['latest_ms']} ms"
