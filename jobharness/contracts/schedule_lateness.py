"""Schedule lateness: a job with a time of its own begins soon enough after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from jobharness.contracts.evidence import Waits, ms
from jobharness.contracts.promise import Evidence, Promise, offences
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
        delayed = np.flatnonzero(tally.has(Kind.ENQUEUE_NOT_BEFORE) & tally.has(Kind.ENQUEUE_ACKNOWLEDGED))
        due_ns, begun_ns = tally.first_value(Kind.ENQUEUE_NOT_BEFORE, delayed), tally.first_ns(Kind.JOB_RUNNING, delayed)
        waits = Waits(np.ones(len(delayed), np.bool_), due_ns, begun_ns.__getitem__, self.within_s)
        count, never = len(delayed), int(waits.never.sum())
        found = offences(
            pl.when("never").then(pl.lit("never began")).otherwise(pl.format("began {} ms after its time", "by")),
            job=delayed[waits.late],
            weight=waits.late_by_ns,
            by=ms(waits.late_by_ns),
            never=waits.never,
        )
        counts = {"delayed": count, "late": len(waits.late), "never": never}
        return Evidence(count, found, never, counts, {"latest_ms": waits.longest_ms})

    def broken(self, figures: Mapping[str, int]) -> str:
        """How many were late, how many of them never came."""
        late, delayed, never = figures["late"], figures["delayed"], figures["never"]
        return f"{late} of {delayed} delayed jobs did not begin within {self.within_s:g} s, {never} never"

    def kept(self, figures: Mapping[str, int]) -> str:
        """The latest."""
        return f"all {figures['delayed']} delayed jobs began in time, the latest after {figures['latest_ms']} ms"
