"""Deadline: every acknowledged job is completed soon enough after its intended arrival."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from jobharness.contracts.evidence import Waits, ms
from jobharness.contracts.promise import Evidence, Promise, offences
from jobharness.history.columns import NEVER
from jobharness.history.event import Kind
from jobharness.history.frame import History

__all__ = ["Deadline"]


@dataclass(frozen=True)
class Deadline(Promise):
    """Every acknowledged job is completed within `within_s` of its intended arrival. Needs: the queue drained,
    recorders alive.

    A delayed job counts from the moment at which it may run.
    """

    within_s: float
    name = "deadline"
    needs = frozenset((Kind.ENQUEUE_BEGIN, Kind.ENQUEUE_ACKNOWLEDGED, Kind.JOB_FINISHED))
    nothing = "no job was acknowledged"

    @property
    def promise(self) -> str:
        """The promise, with its bound."""
        return f"every acknowledged job is completed within {self.within_s:g} s of its arrival"

    def evidence(self, history: History) -> Evidence:
        """The jobs that were never completed first, then the latest."""
        tally = history.tally
        judged = tally.has(Kind.ENQUEUE_ACKNOWLEDGED) & (tally.intended_ns != NEVER)
        waits = Waits(judged, tally.due_ns, tally.completed_ns.__getitem__, self.within_s)
        count, never = int(judged.sum()), int(waits.never.sum())
        found = offences(
            pl.when("never").then(pl.lit("never completed")).otherwise(pl.format("completed after {} ms", "took")),
            job=waits.late,
            weight=waits.late_by_ns,
            took=ms(waits.late_by_ns),
            never=waits.never,
        )
        counts = {"acknowledged": count, "late": len(waits.late), "never": never}
        return Evidence(count, found, never, counts, {"slowest_ms": waits.longest_ms})

    def broken(self, figures: Mapping[str, int]) -> str:
        """How many were late, how many of them never came."""
        late, count, never = figures["late"], figures["acknowledged"], figures["never"]
        return f"{late} of {count} jobs were not completed within {self.within_s:g} s, {never} never"

    def kept(self, figures: Mapping[str, int]) -> str:
        """The slowest."""
        return f"all {figures['acknowledged']} jobs were completed in time, the slowest after {figures['slowest_ms']} ms"
