"""At-most-once delivery: no job is delivered to the task's code more often than once, but for the retries it asked for.

Counted by executions begun and not by completions: an execution that was cut off may have had its effect.
"""

from __future__ import annotations

import polars as pl

from jobharness.contracts.contract import Finding, Word
from jobharness.history.frame import History

__all__ = ["AtMostOnce"]


class AtMostOnce:
    """No job is run again unless it was retried for its own exception. Needs: recorders alive."""

    name = "at_most_once"
    promise = "no job is run more than once, apart from retries of its own"

    def check(self, history: History) -> Finding:
        """Broken with the jobs run too often, the most often first; unknown where a recorder failed and none was seen."""
        ran = history.lives.filter(pl.col("running") > 0)
        surplus = pl.col("running").cast(pl.Int64) - 1 - pl.col("retried").cast(pl.Int64)
        twice = ran.filter(surplus > 0).sort(surplus, descending=True)
        counts = {"ran": ran.height, "duplicated": twice.height}
        why = pl.format("ran {} times, {} of them retries it asked for", "running", "retried")
        offenders = twice.select("job", row=pl.lit(None, pl.UInt32), why=why)
        if twice.height:
            sentence = f"{twice.height} of {ran.height} jobs were run more often than they asked for"
            return Finding(self.name, Word.BROKEN, sentence, counts, offenders)
        if history.processes["failed"].any():
            return Finding(self.name, Word.UNKNOWN, "a process could not record all its events", counts)
        if not ran.height:
            return Finding(self.name, Word.UNKNOWN, "no job was run", counts)
        pending = ran.filter(pl.col("held") > 0).height
        if pending:
            sentence = f"no job was run twice, but the broker still holds {pending} that were run, and may deliver them again"
            return Finding(self.name, Word.UNKNOWN, sentence, {**counts, "pending": pending})
        return Finding(self.name, Word.HOLDS, f"each of {ran.height} jobs was run once", counts)
