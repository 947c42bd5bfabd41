"""Attempts bounded: no job is executed more often than the team allows, whatever the reason."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from jobharness.contracts.contract import Finding, Word
from jobharness.history.frame import History

__all__ = ["AttemptsBounded"]


@dataclass(frozen=True)
class AttemptsBounded:
    """No job is executed more than `max_attempts` times (1 or more). Needs: recorders alive."""

    max_attempts: int
    name = "attempts_bounded"

    @property
    def promise(self) -> str:
        """The promise, with its bound."""
        return f"no job is executed more than {self.max_attempts} times"

    def check(self, history: History) -> Finding:
        """Broken with the jobs executed too often, the most often first."""
        ran = history.lives.filter(pl.col("running") > 0)
        over = ran.filter(pl.col("running") > self.max_attempts).sort("running", descending=True)
        most = int(ran["running"].max() or 0)  # type: ignore[arg-type]  # polars types max() as any literal
        counts = {"ran": ran.height, "over": over.height, "most": most}
        why = pl.format("executed {} times", "running")
        offenders = over.select("job", row=pl.lit(None, pl.UInt32), why=why)
        if over.height:
            sentence = f"{over.height} jobs were executed more than {self.max_attempts} times, one of them {most} times"
            return Finding(self.name, Word.BROKEN, sentence, counts, offenders)
        if history.processes["failed"].any():
            return Finding(self.name, Word.UNKNOWN, "a process could not record all its events", counts)
        if not ran.height:
            return Finding(self.name, Word.UNKNOWN, "no job was run", counts)
        return Finding(self.name, Word.HOLDS, f"no job was executed more than {most} times", counts)
