"""Faults hit: each fault of the scenario struck, and struck something at work. A fault that hit nothing proves
nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from jobharness.contracts.contract import Finding, Word
from jobharness.contracts.promise import Evidence, RunPromise
from jobharness.history.event import AT_WORK, Kind
from jobharness.history.frame import History

__all__ = ["FaultsHit"]


@dataclass(frozen=True)
class FaultsHit(RunPromise):
    """Each fault (by label) hit at least one job in flight. `labels` empty: there is nothing to hit, and it holds."""

    labels: tuple[str, ...]
    name = "faults_hit"
    promise = "each fault hit a job in flight"
    needs = frozenset((Kind.JOB_RUNNING, Kind.FAULT_HIT))

    def observe(self, history: History) -> pl.DataFrame:
        """`label, hits`: how many jobs each fault hit that hit any, or a producer or scheduler at its work."""
        columns = history.columns
        of_jobs, all_rows = columns.rows_of_jobs(Kind.FAULT_HIT), columns.rows(Kind.FAULT_HIT)
        working = history.number_of(AT_WORK)
        at_work = all_rows[columns["group"][all_rows] == working] if working is not None else all_rows[:0]
        hit = [pl.DataFrame({"label": columns["text"][of_jobs], "jobs": np.ones(len(of_jobs), np.int64)})]
        hit.append(pl.DataFrame({"label": columns["text"][at_work], "jobs": np.zeros(len(at_work), np.int64)}))
        return pl.concat(hit).group_by("label").agg(hits=pl.col("jobs").sum())

    def weigh(self, observed: pl.DataFrame, history: History) -> Evidence:
        """Counts alone: it is never broken. `missed.LABEL` is 1 for a fault that struck nothing at work, 2 for one
        that never fired."""
        hit = {history.text(label) for label in observed["label"]}
        struck_rows = history.columns.rows(Kind.FAULT_BEGIN)
        struck = {history.text(label) for label in set(history.columns["text"][struck_rows].tolist())}
        missed = {f"missed.{label}": 1 if label in struck else 2 for label in self.labels if label not in hit}
        jobs = int(observed["hits"].sum())
        counts = {"faults": len(self.labels), "hit": len(hit & set(self.labels)), "strikes": len(struck_rows), "jobs_hit": jobs}
        return Evidence(1, counts={**counts, **missed})

    def conclude(self, evidence: Evidence, history: History) -> Finding:
        """Holds or vacuous, saying which fault and why; never broken."""
        figures = {name: count for name, count in evidence.figures.items() if not name.startswith("missed.")}
        why = {1: "struck while no job was in flight", 2: "never fired"}
        reasons = [
            f"{label} {why[evidence.counts[f'missed.{label}']]}" for label in self.labels if f"missed.{label}" in evidence.counts
        ]
        if reasons:
            return Finding(self.name, Word.VACUOUS, "; ".join(reasons), figures)
        return Finding(self.name, Word.HOLDS, "; ".join([self.kept(figures), *_told(history)]), figures)

    def broken(self, figures: Mapping[str, int]) -> str:
        """It never is."""
        return ""

    def kept(self, figures: Mapping[str, int]) -> str:
        """How many were hit."""
        if not self.labels:
            return "the scenario has no faults"
        return f"{figures['strikes']} strikes hit {figures['jobs_hit']} jobs in flight"


def _told(history: History) -> list[str]:
    """What the faults themselves have to say of what they did, such as that a clock was moved."""
    begun = history.columns.rows(Kind.FAULT_BEGIN)
    return [words for number in dict.fromkeys(history.columns["task"][begun].tolist()) if (words := history.text(number))]
