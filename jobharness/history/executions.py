"""One row per execution: each `job.running`, and how it ended.

An execution ends with the next `job.finished`, `job.failed` or `job.timed_out` of its job in its own process, if no
other execution of the job begins in that process before. Where there is none, it ends with the next `job.timed_out`
that another process of the same worker records for the job (the main process speaks for the child that it ended), if
no other execution of the job begins in that worker before. Otherwise it was *cut off*: nobody saw it end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from jobharness.history.columns import NEVER, NO_ROW, Columns, Int64s, Rows, Tally
from jobharness.history.event import EXECUTION_ENDS, Kind
from jobharness.history.slices import place, slices, taken

__all__ = ["Executions", "executions_of"]


@dataclass(frozen=True, eq=False)
class Executions:
    """Arrays of shape (n,), one entry per `job.running`, in the order of time.

    `row` (u32): where it began; `job`; `process`; `begin_ns`; `end_kind`: a Kind, 0 for one that was cut off;
    `alive_ns`: the last moment at which it is known to have been under way, its end or, where it was cut off, the
    strike that hit it, or else its begin.
    """

    row: Rows
    job: npt.NDArray[np.uint32]
    process: npt.NDArray[np.uint32]
    begin_ns: Int64s
    end_kind: npt.NDArray[np.uint8]
    alive_ns: Int64s

    @property
    def end_ns(self) -> Int64s:
        """When it ended; `NEVER` for one that was cut off. Made anew each time."""
        return np.where(self.end_kind > 0, self.alive_ns, NEVER)

    def __len__(self) -> int:
        return len(self.row)


def executions_of(columns: Columns, tally: Tally, workers: npt.NDArray[np.uint32], pids: Int64s) -> Executions:
    """Pair begins and ends. `workers`: (n_processes,) the number of the worker that a process belongs to; `pids`:
    their process ids.

    Cost: linear for jobs that ran once, a sort of the events of the others.
    """
    row, job = columns.rows_of_jobs(Kind.JOB_RUNNING), columns.jobs(Kind.JOB_RUNNING)
    process = taken(columns["process"], row)
    end_row = _only_ends(columns, tally, workers, row, job, process)
    several = _several(tally)
    again = np.flatnonzero(taken(several, job))
    if len(again):
        end_row[again] = _next_ends(columns, several, workers, row[again])
    cut = np.flatnonzero(end_row == NO_ROW)
    end_row[cut] = row[cut]
    begin_ns, alive_ns, end_kind = (
        taken(columns[name], at) for name, at in (("time_ns", row), ("time_ns", end_row), ("kind", end_row))
    )
    if len(cut):
        end_kind[cut] = 0
        alive_ns[cut] = _struck_ns(columns, job[cut], pids[process[cut]], begin_ns[cut])
    return Executions(row, job, process, begin_ns, end_kind, alive_ns)


def _several(tally: Tally) -> npt.NDArray[np.bool_]:
    """Jobs with more than one begin or more than one end."""
    return (tally.count(Kind.JOB_RUNNING) > 1) | (tally.count(*EXECUTION_ENDS) > 1)


def _only_ends(
    columns: Columns,
    tally: Tally,
    workers: npt.NDArray[np.uint32],
    row: Rows,
    job: npt.NDArray[np.uint32],
    process: npt.NDArray[np.uint32],
) -> Rows:
    """The row of the one end of each execution's job, where it fits the execution; `NO_ROW` elsewhere."""
    finished, *others = EXECUTION_ENDS
    end_of_job = tally.row("first", finished).copy()
    for kind in others:
        place(end_of_job, columns["job"], columns.rows_of_jobs(kind))
    end = taken(end_of_job, job)
    for some in slices(len(end)):
        end[some][~_fits(columns, workers, end[some], row[some], process[some])] = NO_ROW
    return end


def _fits(
    columns: Columns, workers: npt.NDArray[np.uint32], end: Rows, row: Rows, process: npt.NDArray[np.uint32]
) -> npt.NDArray[np.bool_]:
    """Whether each `end` can be that of the execution that begins at `row`: it comes later, and is told by the same process or by
    the main one that ended it."""
    fits = (end != NO_ROW) & (end > row)
    end = np.where(fits, end, 0)
    ender = columns["process"][end]
    others = np.flatnonzero(ender != process)  # Few: an end is mostly recorded where the begin was.
    timed_out = columns["kind"][end[others]] == int(Kind.JOB_TIMED_OUT)
    fits[others] &= timed_out & (workers[ender[others]] == workers[process[others]])
    return np.asarray(fits)


def _next_ends(columns: Columns, several: npt.NDArray[np.bool_], workers: npt.NDArray[np.uint32], begins: Rows) -> Rows:
    """The row of the end of each begin (ascending), of jobs with several begins or ends; `NO_ROW` where it was cut
    off."""
    marks = columns.rows_of_any(Kind.JOB_RUNNING, *EXECUTION_ENDS, jobs=several)
    ends = _followers(columns, marks, columns["process"][marks])
    own = ends[np.searchsorted(marks, begins)]
    open_ = own == NO_ROW
    loud = marks[np.isin(columns["kind"][marks], (int(Kind.JOB_RUNNING), int(Kind.JOB_TIMED_OUT)))]
    loud = loud[np.isin(columns["job"][loud], columns["job"][begins[open_]])]
    spoken = _followers(columns, loud, workers[columns["process"][loud]])
    own[open_] = spoken[np.searchsorted(loud, begins[open_])]
    return own


def _followers(columns: Columns, marks: Rows, owners: npt.NDArray[np.uint32]) -> Rows:
    """For each mark (ascending rows): the next mark of the same job and owner if that is an end, else `NO_ROW`."""
    jobs = columns["job"][marks]
    order = np.lexsort((marks, owners, jobs))
    here, after = order[:-1], order[1:]
    is_end = columns["kind"][marks[after]] != int(Kind.JOB_RUNNING)
    paired = (jobs[here] == jobs[after]) & (owners[here] == owners[after]) & is_end
    out = np.full(len(marks), NO_ROW, np.uint32)
    out[here[paired]] = marks[after[paired]]
    return out


def _struck_ns(columns: Columns, job: npt.NDArray[np.uint32], pid: Int64s, begin_ns: Int64s) -> Int64s:
    """When a fault first hit this job in this process after it began; its begin, where none did."""
    hits = columns.rows_of_jobs(Kind.FAULT_HIT)
    if not len(hits):
        return begin_ns
    struck = pl.DataFrame(
        {"job": columns["job"][hits], "pid": columns["value"][hits], "time_ns": columns["time_ns"][hits]}
    ).with_columns(struck_ns="time_ns")
    wanted = pl.DataFrame({"job": job, "pid": pid, "time_ns": begin_ns})
    return (
        wanted.with_row_index("place")
        .sort("time_ns")
        .join_asof(struck, on="time_ns", by=["job", "pid"], strategy="forward", check_sortedness=False)
        .sort("place")
        .select(pl.coalesce("struck_ns", "time_ns"))
        .to_series()
        .to_numpy()
    )
