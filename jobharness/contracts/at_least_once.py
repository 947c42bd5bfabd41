"""At-least-once delivery: every acknowledged job is completed at least once.

A job is completed when its task's code returned, or ended for good by its own exception or time limit (then it is
*dead*, counted apart, and
the promise of dead letters takes over). It is not completed when only its worker died. Decided at the end of the
drain: what is not completed
by then was not delivered within the recovery bound. Where the broker still holds the job it is *stuck*, else *lost*.
"""

from __future__ import annotations

import polars as pl

from jobharness.contracts.contract import Finding, Word
from jobharness.history.event import Kind
from jobharness.history.frame import History

__all__ = ["AtLeastOnce"]


class AtLeastOnce:
    """Every acknowledged job is completed at least once. Needs: the queue drained, all recorders alive."""

    name = "at_least_once"
    promise = "every acknowledged job is completed at least once"

    def check(self, history: History) -> Finding:
        """Broken with the lost and the stuck jobs; unknown where the run was cut short, or too little was recorded."""
        acknowledged = history.lives.filter(pl.col("acknowledged") > 0)
        dead_by_itself = (pl.col("dead") > pl.col("worker_lost")) & (pl.col("running") > 0)
        missing = acknowledged.filter((pl.col("finished") == 0) & ~dead_by_itself)
        stuck = missing.filter(pl.col("held") > 0).height
        counts = {
            "acknowledged": acknowledged.height,
            "lost": missing.height - stuck,
            "stuck": stuck,
            "dead": acknowledged.filter((pl.col("finished") == 0) & dead_by_itself).height,
        }
        if not acknowledged.height:
            return Finding(self.name, Word.UNKNOWN, "no job was acknowledged", counts)
        offenders = missing.sort("begun_ns").select("job", row=pl.lit(None, pl.UInt32), why=_why())
        word, sentence = self._judge(history, counts)
        return Finding(self.name, word, sentence, counts, offenders)

    def _judge(self, history: History, counts: dict[str, int]) -> tuple[Word, str]:
        missing = counts["lost"] + counts["stuck"]
        of_all = f"of {counts['acknowledged']} acknowledged jobs"
        if missing == 0:
            dead = f" ({counts['dead']} of them dead by their own exception)" if counts["dead"] else ""
            return Word.HOLDS, f"all {counts['acknowledged']} acknowledged jobs were completed{dead}"
        if reason := blind_spot(history, missing):
            return Word.UNKNOWN, f"{missing} {of_all} were not seen to complete, but {reason}"
        parts = [f"{counts['lost']} {of_all} were lost"] if counts["lost"] else []
        if counts["stuck"]:
            parts.append(f"{counts['stuck']} {of_all} are stuck: the broker holds them, nobody ran them in time")
        return Word.BROKEN, "; ".join(parts)


def blind_spot(history: History, missing: int) -> str:
    """Why `missing` unseen completions may have happened all the same; "" where they cannot have."""
    if history.of(Kind.RUN_CUT_SHORT).collect().height:
        return "the run was cut short before the queue had drained"
    if history.processes["failed"].any():
        return "a process could not record all its events"
    # A record torn by a kill may have been a completion; each torn one can excuse one job.
    if missing <= int(history.header.get("torn", 0)):
        return "as many records were torn by a kill"
    return ""


def _why() -> pl.Expr:
    return (
        pl.when(pl.col("held") > 0)
        .then(pl.lit("stuck: the broker still holds it"))
        .when(pl.col("worker_lost") > 0)
        .then(pl.lit("lost: given up because its worker died"))
        .when(pl.col("running") > 0)
        .then(pl.lit("lost: its execution was cut off and never repeated"))
        .when(pl.col("received") > 0)
        .then(pl.lit("lost: taken by a worker, never run"))
        .otherwise(pl.lit("lost: acknowledged, never seen by a worker"))
    )
