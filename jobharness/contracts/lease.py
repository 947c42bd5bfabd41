"""Lease: a job has one owner at a time, and only its owner settles it.

Two owners: an execution of a job begins while another of the same job is known to be under way. A stale owner: a
worker settles (acknowledges) a job that another worker has taken or begun since.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import polars as pl

from jobharness.contracts.evidence import Mask, close_pairs, composite, ms
from jobharness.contracts.promise import Evidence, Promise, offences
from jobharness.history.event import Kind
from jobharness.history.frame import History

__all__ = ["Lease"]


class Lease(Promise):
    """No two live owners, no settlement by a stale one. Needs: recorders alive."""

    name = "lease"
    promise = "a job has one owner at a time, and only its owner settles it"
    needs = frozenset((Kind.JOB_RECEIVED, Kind.JOB_RUNNING, Kind.JOB_FINISHED, Kind.JOB_SETTLED))

    def evidence(self, history: History) -> Evidence:
        """Overlaps first, the longest before the others; then stale settlements."""
        overlaps, stale = self._overlaps(history), self._stale(history)
        if history.clocks.wide:
            overlaps = pl.concat([overlaps, _concurrent(history)])
        counts = {"executions": len(history.executions), "overlaps": overlaps.height, "stale": stale.height}
        return Evidence(len(history.executions), pl.concat([overlaps, stale]), 0, counts)

    def _overlaps(self, history: History) -> pl.DataFrame:
        executions = history.executions
        several = np.flatnonzero(history.tally.count(Kind.JOB_RUNNING)[executions.job] > 1)
        order = several[np.argsort(executions.job[several], kind="stable")]
        job = executions.job[order]
        _, rank = np.unique(job, return_inverse=True)
        begin, alive = composite(rank, executions.begin_ns[order], executions.alive_ns[order])
        # A former job's composites are all smaller, so that what is left over from it never counts.
        longest = np.maximum.accumulate(alive)
        which = np.flatnonzero((longest[:-1] > begin[1:]) & (job[1:] == job[:-1])) + 1
        holder = np.maximum.accumulate(np.where(alive == longest, np.arange(len(alive)), 0))[which - 1]
        alive_ns, begin_ns = executions.alive_ns[order], executions.begin_ns[order]
        known_ns = np.minimum(alive_ns[holder], alive_ns[which]) - begin_ns[which]
        return offences(
            pl.format("began while another execution of the job was under way, for {} ms at least", "known"),
            job=job[which],
            row=executions.row[order[which]],
            weight=known_ns,
            known=ms(known_ns),
        )

    def _stale(self, history: History) -> pl.DataFrame:
        columns = history.columns
        marks = columns.rows_of_any(Kind.JOB_RECEIVED, Kind.JOB_RUNNING, Kind.JOB_SETTLED, jobs=_contested(history))
        marks = marks[np.lexsort((marks, columns["job"][marks]))]
        job, worker = columns["job"][marks], history.workers[columns["process"][marks]]
        settles = columns["kind"][marks] == int(Kind.JOB_SETTLED)
        place = np.arange(len(marks))
        owner = np.maximum.accumulate(np.where(settles, -1, place))  # The last taker before, of this job or an earlier one.
        known = settles & (owner >= 0)
        known[known] = (job[owner[known]] == job[known]) & (worker[owner[known]] != worker[known])
        rows = marks[known]
        return offences(
            "settled by a worker after another had taken the job",
            job=columns["job"][rows],
            row=rows,
            weight=np.full(len(rows), -1.0),
        )

    def broken(self, figures: Mapping[str, int]) -> str:
        """How many of each."""
        parts = [f"{figures['overlaps']} executions began while their job had a live owner"] if figures["overlaps"] else []
        if figures["stale"]:
            parts.append(f"{figures['stale']} settlements came from a stale owner")
        return "; ".join(parts)

    def kept(self, figures: Mapping[str, int]) -> str:
        """How many were judged."""
        return f"each of {figures['executions']} executions was its job's only one at the time"


def _concurrent(history: History) -> pl.DataFrame:
    """Executions of one job on different nodes that may have overlapped, as far as the nodes' clocks are known."""
    executions, clocks = history.executions, history.clocks
    several = np.flatnonzero(history.tally.count(Kind.JOB_RUNNING)[executions.job] > 1)
    order = several[np.argsort(executions.job[several], kind="stable")]
    begin_ns, alive_ns = executions.begin_ns[order], executions.alive_ns[order]
    one, other = close_pairs(executions.job[order], begin_ns, alive_ns + clocks.most_apart_ns)
    apart_ns = clocks.apart_ns(executions.process[order[one]], executions.process[order[other]])
    which = order[other[(apart_ns > 0) & (begin_ns[other] < alive_ns[one] + apart_ns)]]
    return offences(
        "may have begun while another execution of the job was under way",
        job=executions.job[which],
        row=executions.row[which],
        weight=np.zeros(len(which)),
    )


def _contested(history: History) -> Mask:
    """The jobs that were settled, and that more than one worker may have taken."""
    tally = history.tally
    settled = tally.has(Kind.JOB_SETTLED)
    if not settled.any():
        return settled
    several = (tally.count(Kind.JOB_RECEIVED) > 1) | (tally.count(Kind.JOB_RUNNING) > 1)
    once = np.flatnonzero(settled & tally.has(Kind.JOB_RECEIVED) & tally.has(Kind.JOB_RUNNING) & ~several)
    several[once] = _takers(history, Kind.JOB_RECEIVED)[once] != _takers(history, Kind.JOB_RUNNING)[once]
    return np.asarray(several & settled)


def _takers(history: History, kind: Kind) -> npt.NDArray[np.uint32]:
    """(n_jobs,) the number of the worker that took the job last, by this kind of event."""
    columns, takers = history.columns, np.zeros(history.jobs.height, np.uint32)
    takers[columns.jobs(kind)] = history.workers[columns["process"][columns.rows_of_jobs(kind)]]
    return takers
