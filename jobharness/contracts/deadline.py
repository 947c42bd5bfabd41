"""Deadline: every acknowledged job is completed soon enough after its intended arrival."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from jobharness.clock import NS_PER_S
from jobharness.contracts.evidence import ms
from jobharness.contracts.promise import Evidence, Promise, offences
from jobharness.history.columns import NEVER, Int64s
from jobharness.history.event import Kind
from jobharness.history.frame import History

__all__ = ["Deadline", "due_ns"]


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
        jobs = np.flatnonzero((tally.count(Kind.ENQUEUE_ACKNOWLEDGED) > 0) & (tally.intended_ns != NEVER))
        done_ns = tally.completed_ns[jobs]
        never = done_ns == NEVER
        took_ns = np.where(never, NEVER, done_ns - due_ns(history)[jobs])
        late = took_ns > round(self.within_s * NS_PER_S)
        found = offences(
            pl.when("never").then(pl.lit("never completed")).otherwise(pl.format("completed after {} ms", "took")),
            job=jobs[late],
            weight=took_ns[late],
            took=ms(took_ns[late]),
            never=never[late],
        )
        slowest = int(ms(took_ns[~never]).max(initial=0))
        counts = {"acknowledged": len(jobs), "late": int(late.sum()), "never": int(never.sum())}
        return Evidence(len(jobs), found, int(never.sum()), counts, {"slowest_ms": slowest})

    def broken(self, figures: Mapping[str, int]) -> str:
        """How many were late, how many of them never came."""
        late, count, never = figures["late"], figures["acknowledged"], figures["never"]
        return f"{late} of {count} jobs were not completed within {self.within_s:g} s, {never} never"

    def kept(self, figures: Mapping[str, int]) -> str:
        """The slowest."""
        return f"all {figures['acknowledged']} jobs were completed in time, the slowest after {figures['slowest_ms']} ms"


def due_ns(history: History) -> Int64s:
    """When each job could run at the earliest: its intended arrival, or its own later time. (n_jobs,) ns, NEVER
    without an enqueue."""
    own_ns = history.tally.first_value(Kind.ENQUEUE_NOT_BEFORE)
    return np.maximum(history.tally.intended_ns, np.where(own_ns == NEVER, 0, own_ns))
