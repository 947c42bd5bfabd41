"""No link lost: a job of a chain or a chord runs once all those before it have finished.

A worker that dies between finishing a job and enqueuing the next one loses what nobody had yet enqueued: no other promise sees
it. That a link is to come is on record before the chain is sent. A link is due once every job of the step before has finished;
where one of them failed for good, the library gives the rest of the chain up, and that is no loss.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from jobharness.contracts.promise import Evidence, RunPromise, offences
from jobharness.history.columns import NEVER
from jobharness.history.event import Kind
from jobharness.history.frame import History

__all__ = ["NoLinkLost"]


class NoLinkLost(RunPromise):
    """Every job of a chain or chord whose step before has finished is completed. Needs: the queue drained, recorders alive."""

    name = "no_link_lost"
    promise = "each job of a chain or chord is completed once those before it have finished"
    needs = frozenset((Kind.ENQUEUE_LINKED, Kind.JOB_RUNNING, Kind.JOB_FINISHED))
    nothing = "no chain or chord got to its second step"
    split_by = "chain"

    def observe(self, history: History) -> pl.DataFrame:
        """`job, chain, step, finished, enqueued, completed` of each job of a chain, group or chord."""
        columns, tally = history.columns, history.tally
        rows = columns.rows_of_jobs(Kind.ENQUEUE_LINKED)
        job = columns["job"][rows]
        return pl.DataFrame(
            {
                "job": job,
                "chain": columns["text"][rows],
                "step": columns["value"][rows],
                "finished": tally.count(Kind.JOB_FINISHED)[job] > 0,
                "enqueued": tally.count(Kind.ENQUEUE_ACKNOWLEDGED)[job] > 0,
                "completed": tally.completed_ns[job] != NEVER,
            }
        )

    def weigh(self, observed: pl.DataFrame, history: History) -> Evidence:
        """The links that are due and were not completed, those that nobody enqueued first."""
        links = observed.unique(["job", "chain"], keep="first", maintain_order=True)
        before = links.group_by("chain", step=pl.col("step") + 1).agg(due=pl.col("finished").all())
        due = links.join(before, on=["chain", "step"]).filter("due").sort("job")
        missing = due.filter(~pl.col("completed"))
        found = offences(
            pl.when("enqueued")
            .then(pl.lit("enqueued when all before it had finished, never completed"))
            .otherwise(pl.lit("lost: all before it had finished, and nobody got it enqueued")),
            job=missing["job"].to_numpy(),
            weight=np.where(missing["enqueued"].to_numpy(), 0.0, 1.0),
            enqueued=missing["enqueued"],
        )
        counts = {"due": due.height, "lost": missing.height, "never_enqueued": int((~missing["enqueued"]).sum())}
        return Evidence(due.height, found, missing.height, counts)

    def broken(self, figures: Mapping[str, int]) -> str:
        """How many were lost, how many of them nobody enqueued."""
        lost, due, never = figures["lost"], figures["due"], figures["never_enqueued"]
        return f"{lost} of {due} jobs that were due in their chain were not completed, {never} of them never enqueued"

    def kept(self, figures: Mapping[str, int]) -> str:
        """How many there were."""
        return f"all {figures['due']} jobs that were due in their chain were completed"
