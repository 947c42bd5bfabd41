"""Poison contained: jobs that kill, hang or always fail do not hold up the healthy ones, and cost few workers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from jobharness.contracts.evidence import Waits, ms
from jobharness.contracts.promise import Evidence, Promise, offences
from jobharness.contracts.workers_stay_up import unprovoked_exits
from jobharness.history.columns import NEVER
from jobharness.history.event import Kind
from jobharness.history.frame import History

__all__ = ["PoisonContained"]


@dataclass(frozen=True)
class PoisonContained(Promise):
    """While jobs of `tasks` run, every other acknowledged job begins within `max_delay_s`, and at most
    `max_workers_lost` workers exit that no fault ended. Needs: poison that ran, the queue drained, recorders alive."""

    tasks: tuple[str, ...]
    max_delay_s: float
    max_workers_lost: int = 0
    name = "poison_contained"
    needs = frozenset((Kind.ENQUEUE_BEGIN, Kind.ENQUEUE_ACKNOWLEDGED, Kind.JOB_RUNNING))
    nothing = "no healthy job was acknowledged"

    @property
    def promise(self) -> str:
        """The promise, with its bounds."""
        lost = f"at most {self.max_workers_lost} workers are lost"
        return f"beside {', '.join(self.tasks)}, other jobs wait at most {self.max_delay_s:g} s, and {lost}"

    def evidence(self, history: History) -> Evidence:
        """The healthy jobs that waited too long: those that never began first, then the longest waits."""
        tally = history.tally
        poison = history.jobs_of(self.tasks)
        ran = int((poison & tally.has(Kind.JOB_RUNNING)).sum())
        healthy = ~poison & tally.has(Kind.ENQUEUE_ACKNOWLEDGED) & (tally.intended_ns != NEVER)
        waits = Waits(healthy, tally.due_ns, tally.first_in(Kind.JOB_RUNNING), self.max_delay_s)
        count = int(healthy.sum())
        found = offences(
            pl.when("never").then(pl.lit("healthy, and never began")).otherwise(pl.format("healthy, and waited {} ms", "waited")),
            job=waits.late,
            weight=waits.late_by_ns,
            waited=ms(waits.late_by_ns),
            never=waits.never,
        )
        counts = {"healthy": count, "delayed": len(waits.late), "poison": ran}
        return Evidence(count, found, int(waits.never.sum()), counts, {"longest_ms": waits.longest_ms})

    def of_run(self, history: History) -> Evidence:
        """The workers lost beyond what is allowed."""
        rows, codes = unprovoked_exits(history)
        counts = {"workers_lost": len(rows)}
        if len(rows) <= self.max_workers_lost:
            return Evidence(0, counts=counts)
        why = pl.format("a worker was lost, with code {}", "code")
        return Evidence(0, offences(why, job=None, row=rows, weight=np.zeros(len(rows)), code=codes), 0, counts)

    def undecided(self, figures: Mapping[str, int]) -> str:
        """Without poison nothing was contained."""
        return "" if figures["poison"] else f"no job of {', '.join(self.tasks)} was run"

    def broken(self, figures: Mapping[str, int]) -> str:
        """How many were held up, how many workers were lost."""
        parts = [f"{figures['delayed']} of {figures['healthy']} healthy jobs waited too long"] if figures["delayed"] else []
        if figures["workers_lost"] > self.max_workers_lost:
            parts.append(f"{figures['workers_lost']} workers were lost, where {self.max_workers_lost} are allowed")
        return "; ".join(parts)

    def kept(self, figures: Mapping[str, int]) -> str:
        """What the poison cost."""
        cost = f"healthy jobs waited {figures['longest_ms']} ms at most, {figures['workers_lost']} workers were lost"
        return f"beside {figures['poison']} poisonous jobs, {cost}"
