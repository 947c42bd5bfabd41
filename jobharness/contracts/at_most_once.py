"""At-most-once delivery: no job is delivered to the task's code more often than once, but for the retries it asked for.

Counted by executions begun and not by completions: an execution that was cut off may have had its effect. A retry
allows one further execution from then on; it does not excuse an execution that came before it. A record torn by a
kill hides no execution: the record is written before the task's code begins.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import polars as pl

from jobharness.contracts.evidence import Mask, is_first, running_total
from jobharness.contracts.promise import Evidence, Promise, offences
from jobharness.history.columns import Int64s
from jobharness.history.event import Kind
from jobharness.history.frame import History

__all__ = ["AtMostOnce"]


class AtMostOnce(Promise):
    """No job is run again unless it was retried for its own exception. Needs: recorders alive, the queue drained."""

    name = "at_most_once"
    promise = "no job is run more than once, apart from retries of its own"
    needs = frozenset((Kind.JOB_RUNNING,))

    def evidence(self, history: History) -> Evidence:
        """The jobs run too often, the most often first; `row` is the first execution too many."""
        tally = history.tally
        running = tally.count(Kind.JOB_RUNNING)
        ran = int((running > 0).sum())
        pending = int(((running > 0) & (tally.count(Kind.JOB_HELD) > 0)).sum())
        job, row, surplus = _surplus(history, running > 1)
        found = offences(
            pl.format("ran {} times, {} of them retries it asked for", "ran", "retried"),
            job=job,
            row=row,
            weight=surplus,
            ran=running[job],
            retried=tally.count(Kind.JOB_RETRIED)[job],
        )
        return Evidence(ran, found, 0, {"ran": ran, "duplicated": len(job), "pending": pending})

    def broken(self, figures: Mapping[str, int]) -> str:
        """How many were run too often."""
        return f"{figures['duplicated']} of {figures['ran']} jobs were run more often than they asked for"

    def kept(self, figures: Mapping[str, int]) -> str:
        """How many ran."""
        return f"each of {figures['ran']} jobs was run once"

    def undecided(self, figures: Mapping[str, int]) -> str:
        """The broker may deliver again what it still holds."""
        if not figures["pending"]:
            return ""
        return f"no job was run twice, but the broker still holds {figures['pending']} that were run, and may deliver them again"


def _surplus(history: History, several: Mask) -> tuple[npt.NDArray[np.uint32], Int64s, Int64s]:
    """`job, row, surplus` of each job with executions that no retry before them allowed: the first such row, and how
    many."""
    columns = history.columns
    marks = columns.rows_of_any(Kind.JOB_RUNNING, Kind.JOB_RETRIED, jobs=several)
    is_run = columns["kind"][marks] == int(Kind.JOB_RUNNING)
    # At one moment the retry comes first: between processes the clock cannot tell, and the promise gets the benefit.
    order = np.lexsort((marks, is_run, _moments(history, marks, is_run), columns["job"][marks]))
    marks, is_run = marks[order], is_run[order]
    jobs = columns["job"][marks]
    first = is_first(jobs)
    beyond = running_total(np.where(is_run, 1, -1), first) - 1
    over = is_run & (beyond > 0)
    over_jobs, over_rows = jobs[over], marks[over]
    starts = np.flatnonzero(is_first(over_jobs))
    most = np.maximum.reduceat(beyond[over], starts) if len(starts) else np.empty(0, np.int64)
    return over_jobs[starts], over_rows[starts], most


def _moments(history: History, marks: npt.NDArray[np.uint32], is_run: Mask) -> Int64s:
    """When each execution began and each retry was asked for.

    Where several nodes tell of a job, the worst that their clocks leave open: each execution as early and each retry as late as
    it may have been; the other way round where the clocks are `narrow`.
    """
    columns, clocks = history.columns, history.clocks
    times_ns = columns["time_ns"][marks]
    if not (clocks.wide or clocks.narrow):
        return np.asarray(times_ns)
    jobs, node = columns["job"][marks], clocks.node[columns["process"][marks]]
    least, most = np.full(history.jobs.height, len(clocks.bounds_ns)), np.full(history.jobs.height, -1)
    np.minimum.at(least, jobs, node)
    np.maximum.at(most, jobs, node)
    open_ns = np.where(least[jobs] < most[jobs], clocks.bounds_ns[node], 0)
    return np.asarray(times_ns + np.where(is_run == clocks.wide, -open_ns, open_ns))
