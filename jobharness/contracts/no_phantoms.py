"""No phantoms: every job that is received or run was once enqueued."""

from __future__ import annotations

import polars as pl

from jobharness.contracts.contract import Finding, Word
from jobharness.history.frame import History

__all__ = ["NoPhantoms"]


class NoPhantoms:
    """No job runs that no process of the run ever began to enqueue. Needs: recorders of all enqueuing processes alive."""

    name = "no_phantoms"
    promise = "no job runs that was never enqueued"

    def check(self, history: History) -> Finding:
        """Broken with the phantoms; unknown where a recorder failed, since it may have been the enqueuing one's."""
        seen = history.lives.filter((pl.col("received") > 0) | (pl.col("running") > 0))
        phantoms = seen.filter(pl.col("begun") == 0)
        counts = {"seen": seen.height, "phantoms": phantoms.height}
        offenders = phantoms.select("job", row=pl.lit(None, pl.UInt32), why=pl.lit("no process began to enqueue it"))
        if not phantoms.height:
            if not seen.height:
                return Finding(self.name, Word.UNKNOWN, "no job reached a worker", counts)
            return Finding(self.name, Word.HOLDS, f"all {seen.height} jobs seen by workers were enqueued", counts)
        if history.processes["failed"].any():
            sentence = f"{phantoms.height} jobs have no enqueue, but a process could not record all its events"
            return Finding(self.name, Word.UNKNOWN, sentence, counts, offenders)
        if phantoms.height <= int(history.header.get("torn", 0)):
            sentence = f"{phantoms.height} jobs have no enqueue, but as many records were torn by a kill"
            return Finding(self.name, Word.UNKNOWN, sentence, counts, offenders)
        sentence = f"{phantoms.height} jobs reached a worker that nobody enqueued"
        return Finding(self.name, Word.BROKEN, sentence, counts, offenders)
