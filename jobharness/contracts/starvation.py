"""Starvation: no kind of job waits too long, however busy the others keep the workers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from jobharness.clock import NS_PER_S
from jobharness.contracts.deadline import due_ns
from jobharness.contracts.evidence import ms
from jobharness.contracts.promise import Evidence, Promise, offences
from jobharness.history.columns import NEVER
from jobharness.history.event import Kind
from jobharness.history.frame import History

__all__ = ["Starvation"]


@dataclass(frozen=True)
class Starvation(Promise):
    """Every acknowledged job begins within `within_s` of the moment at which it may; the longest wait is told for
    each task. Needs: the queue drained, recorders alive."""

    within_s: float
    name = "starvation"
    needs = frozenset((Kind.ENQUEUE_BEGIN, Kind.ENQUEUE_ACKNOWLEDGED, Kind.JOB_RUNNING))
    nothing = "no job was acknowledged"

    @property
    def promise(self) -> str:
        """The promise, with its bound."""
        return f"no job of any kind waits longer than {self.within_s:g} s for its first execution"

    def evidence(self, history: History) -> Evidence:
        """The jobs that never began first, then the longest waits."""
        tally = history.tally
        jobs = np.flatnonzero((tally.count(Kind.ENQUEUE_ACKNOWLEDGED) > 0) & (tally.intended_ns != NEVER))
        begun_ns = tally.first_ns(Kind.JOB_RUNNING)[jobs]
        never = begun_ns == NEVER
        waited_ns = np.where(never, NEVER, begun_ns - due_ns(history)[jobs])
        starved = waited_ns > round(self.within_s * NS_PER_S)
        found = offences(
            pl.when("never").then(pl.lit("never began")).otherwise(pl.format("waited {} ms", "waited")),
            job=jobs[starved],
            weight=waited_ns[starved],
            waited=ms(waited_ns[starved]),
            never=never[starved],
        )
        by_task = pl.DataFrame({"task": tally.label("task")[jobs[~never]], "waited": ms(waited_ns[~never])})
        longest = by_task.group_by("task").agg(pl.col("waited").max()).iter_rows()
        named = ((history.text(task) or "-", max(0, waited)) for task, waited in longest)
        most = {f"longest_ms[{name}]": waited for name, waited in sorted(named, key=lambda wait: (-wait[1], wait[0]))}
        counts = {"acknowledged": len(jobs), "starved": int(starved.sum()), "never": int(never.sum())}
        return Evidence(len(jobs), found, int(never.sum()), counts, most)

    def broken(self, figures: Mapping[str, int]) -> str:
        """How many starved, and the longest wait of the worst kinds."""
        starved = f"{figures['starved']} of {figures['acknowledged']} jobs waited too long"
        return f"{starved}, {figures['never']} for ever{_worst(figures)}"

    def kept(self, figures: Mapping[str, int]) -> str:
        """The longest wait of the worst kinds."""
        return f"all {figures['acknowledged']} jobs began in time{_worst(figures)}"


def _worst(figures: Mapping[str, int]) -> str:
    waits = [(name[len("longest_ms[") : -1], value) for name, value in figures.items() if name.startswith("longest_ms[")]
    worst = sorted(waits, key=lambda wait: (-wait[1], wait[0]))[:3]
    return "".join(f"; {task}: {value} ms at most" for task, value in worst)
