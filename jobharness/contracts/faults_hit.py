"""Faults hit: each fault of the scenario struck, and struck something at work. A fault that hit nothing proves
nothing."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from jobharness.contracts.contract import Finding, Word
from jobharness.history.event import Kind
from jobharness.history.frame import History

__all__ = ["FaultsHit"]


@dataclass(frozen=True)
class FaultsHit:
    """Each fault (by label) hit at least one job in flight. `labels` empty: there is nothing to hit, and it holds."""

    labels: tuple[str, ...]
    name = "faults_hit"
    promise = "each fault hit a job in flight"
    needs = frozenset((Kind.JOB_RUNNING,))

    def check(self, history: History) -> Finding:
        """Holds or vacuous, saying which fault and why; never broken."""
        struck = self._labels(history, Kind.FAULT_BEGIN)
        hit = self._labels(history, Kind.FAULT_HIT, with_job=True)
        reasons = [
            f"{label} {'struck while no job was in flight' if label in struck else 'never fired'}"
            for label in self.labels
            if label not in hit
        ]
        counts = {"faults": len(self.labels), "hit": len(hit & set(self.labels))}
        if reasons:
            return Finding(self.name, Word.VACUOUS, "; ".join(reasons), counts)
        strikes = history.of(Kind.FAULT_BEGIN).collect().height
        jobs = history.of(Kind.FAULT_HIT).filter(pl.col("job").is_not_null() | (pl.col("task") > 0)).collect().height
        sentence = f"{strikes} strikes hit {jobs} jobs in flight" if self.labels else "the scenario has no faults"
        return Finding(self.name, Word.HOLDS, sentence, counts)

    def _labels(self, history: History, kind: Kind, with_job: bool = False) -> set[str]:
        rows = history.of(kind)
        if with_job:
            rows = rows.filter(pl.col("job").is_not_null() | (pl.col("task") > 0))
        return {history.text(number) for number in rows.select("text").collect()["text"].unique()}
