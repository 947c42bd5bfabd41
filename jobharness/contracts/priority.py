"""Priority: no job is taken while a more urgent one waits.

An inversion: when a job is taken by a worker, another of smaller rank had been acknowledged before, and begins only
after it. Inversions are counted by the job that jumped the queue; a share of them may be allowed, since workers
fetch ahead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from jobharness.contracts.evidence import ms
from jobharness.contracts.promise import Evidence, RunPromise, offences
from jobharness.history.columns import NEVER
from jobharness.history.event import Kind
from jobharness.history.frame import History

__all__ = ["Priority"]


@dataclass(frozen=True)
class Priority(RunPromise):
    """At most the share `allowed` of jobs with a priority is taken while a more urgent one waits. Needs: recorders
    alive."""

    allowed: float = 0.0
    name = "priority"
    needs = frozenset((Kind.ENQUEUE_PRIORITY, Kind.ENQUEUE_ACKNOWLEDGED, Kind.JOB_RUNNING))
    nothing = "no job with a priority was run"

    @property
    def promise(self) -> str:
        """The promise, with what is allowed."""
        share = f", but for {self.allowed:.1%} of them" if self.allowed else ""
        return f"no job is taken while a more urgent one waits{share}"

    def observe(self, history: History) -> pl.DataFrame:
        """`rank, waits_from_ns, taken_ns, running_ns, job` of the jobs with a priority that were run."""
        tally = history.tally
        rank, running = tally.first_value(Kind.ENQUEUE_PRIORITY), tally.first_ns(Kind.JOB_RUNNING)
        jobs = np.flatnonzero((rank != NEVER) & (running != NEVER))
        own_ns = tally.first_value(Kind.ENQUEUE_NOT_BEFORE)[jobs]
        return pl.DataFrame(
            {
                "rank": rank[jobs],
                # A delayed job waits for nobody before its time.
                "waits_from_ns": np.maximum(
                    tally.first_ns(Kind.ENQUEUE_ACKNOWLEDGED)[jobs], np.where(own_ns == NEVER, 0, own_ns)
                ),
                "taken_ns": np.minimum(tally.first_ns(Kind.JOB_RECEIVED), running)[jobs],
                "running_ns": running[jobs],
                "job": jobs.astype(np.uint32),
            }
        )

    def weigh(self, observed: pl.DataFrame, history: History) -> Evidence:
        """The jobs that jumped the queue, by how long a more urgent one waited on; none, where it is no more than
        the share allowed."""
        found = [self._jumps(observed, int(rank)) for rank in observed["rank"].unique().sort()[1:]]
        table = pl.concat(found) if found else offences("", job=[], weight=[])
        counts = {"ranked": observed.height, "inversions": table.height}
        if table.height <= self.allowed * observed.height:
            table = table.clear()
        return Evidence(observed.height, table, 0, counts)

    def _jumps(self, observed: pl.DataFrame, rank: int) -> pl.DataFrame:
        urgent = observed.filter(pl.col("rank") < rank).sort("waits_from_ns", "job")
        jobs = observed.filter(pl.col("rank") == rank)
        latest_ns = np.maximum.accumulate(urgent["running_ns"].to_numpy())
        place = np.searchsorted(urgent["waits_from_ns"].to_numpy(), jobs["taken_ns"].to_numpy(), side="left") - 1
        waited_ns = np.where(place >= 0, latest_ns[place], 0) - jobs["running_ns"].to_numpy()
        over = waited_ns > 0
        return offences(
            pl.format("began {} ms before a more urgent job that was waiting", "by"),
            job=jobs["job"].to_numpy()[over],
            weight=waited_ns[over],
            by=ms(waited_ns[over]),
        )

    def broken(self, figures: Mapping[str, int]) -> str:
        """How many jumped the queue."""
        return f"{figures['inversions']} of {figures['ranked']} jobs were taken while a more urgent one waited"

    def kept(self, figures: Mapping[str, int]) -> str:
        """How many inversions there were among how many."""
        return f"{figures['inversions']} inversions among {figures['ranked']} jobs with a priority"
