"""Starvation: no kind of job waits too long, however busy the others keep the workers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from jobharness.contracts.evidence import Waits, ms
from jobharness.contracts.promise import Evidence, Promise, offences
from jobharness.history.columns import NEVER
from jobharness.history.event import Kind
from jobharness.history.frame import History
from jobharness.history.slices import slices

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
        judged = tally.has(Kind.ENQUEUE_ACKNOWLEDGED) & (tally.intended_ns != NEVER)
        waits = Waits(judged, tally.due_ns, tally.first_in(Kind.JOB_RUNNING), self.within_s)
        count, never = int(judged.sum()), int(waits.never.sum())
        found = offences(
            pl.when("never").then(pl.lit("never began")).otherwise(pl.format("waited {} ms", "waited")),
            job=waits.late,
            weight=waits.late_by_ns,
            waited=ms(waits.late_by_ns),
            never=waits.never,
        )
        counts = {"acknowledged": count, "starved": len(waits.late), "never": never}
        return Evidence(count, found, never, counts, _longest_by_task(history, waits))

    def broken(self, figures: Mapping[str, int]) -> str:
        """How many starved, and the longest wait of the worst kinds."""
        starved = f"{figures['starved']} of {figures['acknowledged']} jobs waited too long"
        return f"{starved}, {figures['never']} for ever{_worst(figures)}"

    def kept(self, figures: Mapping[str, int]) -> str:
        """The longest wait of the worst kinds."""
        return f"all {figures['acknowledged']} jobs began in time{_worst(figures)}"


def _longest_by_task(history: History, waits: Waits) -> dict[str, int]:
    """`longest_ms[TASK]` of each task of which a job began."""
    longest_ns = np.full(history.texts.len(), -1, np.int64)
    task = history.tally.label("task")
    for some in slices(len(task)):
        np.maximum.at(longest_ns, task[some], np.where(waits.came(some), waits.took_ns(some).clip(min=0), -1))
    return {
        f"longest_ms[{history.text(int(task)) or '-'}]": int(longest_ns[task]) // 1_000_000
        for task in np.flatnonzero(longest_ns >= 0)
    }


def _worst(figures: Mapping[str, int]) -> str:
    waits = [(name[len("longest_ms[") : -1], value) for name, value in figures.items() if name.startswith("longest_ms[")]
    worst = sorted(waits, key=lambda wait: (-wait[1], wait[0]))[:3]
    return "".join(f"; {task}: {value} ms at most" for task, value in worst)
