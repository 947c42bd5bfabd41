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
        jobs = np.flatnonzero(tally.has(Kind.ENQUEUE_PRIORITY) & tally.has(Kind.JOB_RUNNING))
        own_ns, running_ns = tally.first_value(Kind.ENQUEUE_NOT_BEFORE, jobs), tally.first_ns(Kind.JOB_RUNNING, jobs)
        acknowledged_ns, received_ns = (tally.first_ns(kind, jobs) for kind in (Kind.ENQUEUE_ACKNOWLEDGED, Kind.JOB_RECEIVED))
        table = pl.DataFrame(
            {
                "rank": tally.first_value(Kind.ENQUEUE_PRIORITY, jobs),
                # A delayed job waits for nobody before its time.
                "waits_from_ns": np.maximum(acknowledged_ns, np.where(own_ns == NEVER, 0, own_ns)),
                "taken_ns": np.minimum(received_ns, running_ns),
                "running_ns": running_ns,
                "job": jobs.astype(np.uint32),
            }
        )
        if not history.clocks.wide:
            return table
        sent, received, ran = (
            tally.first_process(kind, jobs) for kind in (Kind.ENQUEUE_ACKNOWLEDGED, Kind.JOB_RECEIVED, Kind.JOB_RUNNING)
        )
        taken = np.where(received_ns == NEVER, ran, received)
        return table.with_columns(sent_by=sent, taken_by=taken, run_by=ran)

    def weigh(self, observed: pl.DataFrame, history: History) -> Evidence:
        """The jobs that jumped the queue, by how long a more urgent one waited on; none, where it is no more than
        the share allowed."""
        found = [self._jumps(observed, int(rank)) for rank in observed["rank"].unique().sort()[1:]]
        if history.clocks.wide:
            found.append(_concurrent(observed, history))
        table = pl.concat(found) if found else offences("", job=[], weight=[])
        counts = {"ranked": observed.height, "inversions": table.height}
        if table.height <= self.allowed * observed.height:
            table = table.clear()
        return Evidence(observed.height, table, 0, counts)

    def _jumps(self, observed: pl.DataFrame, rank: int) -> pl.DataFrame:
        urgent = observed.filter(pl.col("rank") < rank).sort("waits_from_ns", "job")
        jobs = observed.filter(pl.col("rank") == rank)
        latest_ns = np.maximum.accumulate(urgent["running_ns"].to_numpy())
        place = np.searchsorted(urgent["waits_from_ns"].to_numpy(), jobs["taken_ns"].to_numpy()) - 1
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


def _concurrent(observed: pl.DataFrame, history: History) -> pl.DataFrame:
    """The jobs that may have been taken while a more urgent one waited: the clocks leave both open, whether it did already and
    which of the two began first."""
    clocks, open_ns = history.clocks, history.clocks.most_apart_ns
    urgent = observed.sort("waits_from_ns", "job")
    taken, waits = observed["taken_ns"].to_numpy(), urgent["waits_from_ns"].to_numpy()
    first, last = np.searchsorted(waits, taken - open_ns), np.searchsorted(waits, taken + open_ns)
    one = np.repeat(np.arange(len(taken)), last - first)
    other = np.repeat(first - np.append(0, np.cumsum(last - first)[:-1]), last - first) + np.arange(len(one))
    job, rival = (
        {name: table[name].to_numpy()[at] for name in table.columns} for table, at in ((observed, one), (urgent, other))
    )
    open_ones = rival["rank"] < job["rank"]
    open_ones &= np.abs(rival["waits_from_ns"] - job["taken_ns"]) < clocks.apart_ns(rival["sent_by"], job["taken_by"])
    open_ones &= np.abs(rival["running_ns"] - job["running_ns"]) < clocks.apart_ns(rival["run_by"], job["run_by"])
    jobs = np.unique(job["job"][open_ones])
    return offences("may have been taken while a more urgent job waited", job=jobs, weight=np.zeros(len(jobs)))
