"""The events as plain arrays, and what they add up to for each job: counts and moments, made when asked for.

Jobs are dense numbers, so a count is one `bincount` and a first event one scatter: linear, and no hashing. Ten
million jobs are a normal size.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from jobharness.history.event import Dead, Kind
from jobharness.history.once import Once
from jobharness.history.slices import place, slices, taken

__all__ = ["NEVER", "NO_JOB", "NO_ROW", "Columns", "Tally"]

NEVER = np.iinfo(np.int64).max
"""The moment of what never happened: later than everything."""

NO_JOB = np.iinfo(np.uint32).max
"""The job of an event that is about none."""

Int64s = npt.NDArray[np.int64]
Rows = npt.NDArray[np.uint32]
Made = TypeVar("Made")
Counts = npt.NDArray[np.uint8 | np.uint32]


NO_ROW = np.iinfo(np.uint32).max
"""The row of what never happened."""

THREADS = 2
MILLION = 2**20
"""So many values at a time polars fills in soonest."""

FEW = 0.25
"""What is made of a kind with fewer events than this share of the jobs is made again each time: that is cheap."""

Some = slice | Rows | Int64s
"""Some jobs, by their numbers."""

Which = Literal["first", "last"]
ORDERS = {"first": slice(None, None, -1), "last": slice(None)}
"""Of several writes to one place the last stays."""


class Columns:
    """Views of the columns of a table of events, and the rows of each kind. `rows` are positions (u32), ascending, so
    in the order of time."""

    def __init__(self, events: pl.DataFrame) -> None:
        self._events = events
        self._once = Once()

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        """The column as an array, `NO_JOB` for a null job. Not to be written to."""
        return self._once(name, lambda: self._array(self._events[name]))

    def _array(self, column: pl.Series) -> npt.NDArray[Any]:
        return _without_null(column) if column.null_count() else column.to_numpy()

    def rows(self, kind: Kind) -> Rows:
        """Where the events of one kind are."""
        by_kind: dict[int, Rows] = self._once("rows by kind", lambda: _rows_by_kind(self["kind"]))
        return by_kind.get(int(kind), np.empty(0, np.uint32))

    def rows_of_jobs(self, kind: Kind) -> Rows:
        """Where the events of one kind are, without those that are about no job."""
        return self._once(("rows of jobs", kind), lambda: self._about_jobs(kind))

    def _about_jobs(self, kind: Kind) -> Rows:
        rows = self.rows(kind)
        if int(kind) not in self._once("kinds about none", self._kinds_about_none):
            return rows
        about_jobs: npt.NDArray[np.bool_] = self["job"][rows] != NO_JOB
        return rows[about_jobs]

    def _kinds_about_none(self) -> frozenset[int]:
        """The kinds of the events that are about no job."""
        about_none = self._events["job"].is_null().arg_true().to_numpy()
        return frozenset(self["kind"][about_none].tolist())

    def jobs(self, kind: Kind) -> npt.NDArray[np.uint32]:
        """Which job each of `rows_of_jobs` is about. Made anew each time."""
        return taken(self["job"], self.rows_of_jobs(kind))

    def rows_of_any(self, *kinds: Kind, jobs: npt.NDArray[np.bool_]) -> Rows:
        """Where the events of several kinds are that are about one of `jobs`, (n_jobs,)."""
        if not jobs.any():
            return np.empty(0, np.uint32)
        of_each = [self.rows_of_jobs(kind)[taken(jobs, self.jobs(kind))] for kind in kinds]
        return np.sort(np.concatenate(of_each), kind="stable")


def _without_null(jobs: pl.Series) -> npt.NDArray[np.uint32]:
    out = np.empty(len(jobs), np.uint32)
    for start in range(0, len(out), MILLION):
        some = slice(start, start + MILLION)
        out[some] = jobs[some].fill_null(NO_JOB).to_numpy()
    return out


def _rows_by_kind(kinds: npt.NDArray[np.uint8]) -> dict[int, Rows]:
    """The positions of each kind that occurs, ascending. Cost: one pass."""
    parts = list(slices(len(kinds)))
    counts = np.array([np.bincount(kinds[some], minlength=256) for some in parts], np.int64).reshape(-1, 256)
    found = {kind: np.empty(total, np.uint32) for kind, total in enumerate(counts.sum(axis=0).tolist()) if total}
    ends = counts.cumsum(axis=0)

    def fill(part: int) -> None:
        order, sorted_ = np.argsort(kinds[parts[part]], kind="stable") + parts[part].start, 0
        for kind in np.flatnonzero(counts[part]).tolist():
            count, end = int(counts[part, kind]), int(ends[part, kind])
            found[kind][end - count : end] = order[sorted_ : sorted_ + count]
            sorted_ += count

    # Nearly everything waits for this, and sorting leaves Python's lock alone.
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(fill, range(len(parts))))
    return found


class Tally:
    """Per job: how often a kind of event came, and when first or last. Arrays of shape (n_jobs,), in the order of
    `History.jobs`. Not to be written to."""

    def __init__(self, columns: Columns, n_jobs: int, *, runs_unseen: bool = False) -> None:
        self._columns, self._n_jobs, self._runs_unseen = columns, n_jobs, runs_unseen
        self._once = Once()

    def count(self, *kinds: Kind) -> Counts:
        """How many events of these kinds, together."""
        if len(kinds) == 1:
            return self._often(kinds[0], ("count", kinds), lambda: self._counted(kinds[0]))
        counts = [self.count(kind) for kind in kinds if len(self._columns.rows_of_jobs(kind))]
        if not counts:
            return self.count(kinds[0])
        total = counts[0].astype(np.uint32)
        for more in counts[1:]:
            total += more
        return total

    def has(self, *kinds: Kind) -> npt.NDArray[np.bool_]:
        """Whether there is an event of any of these kinds."""
        if len(kinds) == 1 and self._many(kinds[0]):
            return self._once(("has", kinds), lambda: self.row("first", kinds[0]) != NO_ROW)
        seen = np.zeros(self._n_jobs, np.bool_)
        for kind in kinds:
            if self._many(kind):
                seen |= self.has(kind)
            else:
                seen[self._columns.jobs(kind)] = True
        return seen

    def deaths(self, *reasons: Dead) -> Counts:
        """How many `job.dead` events with one of these reasons."""
        return self._once(("deaths", reasons), lambda: self._counted_anew(self._dead_rows(reasons)))

    def row(self, which: Which, kind: Kind) -> Rows:
        """The row of the first or the last event of this kind; `NO_ROW` where there is none."""
        return self._often(kind, (which, kind), lambda: self._row(which, kind))

    def first_ns(self, kind: Kind, jobs: Some | None = None) -> Int64s:
        """When the first event of this kind came; `NEVER` where none did. Of some jobs, where they are named."""
        return self._moments("first", kind, "time_ns", jobs)

    def first_in(self, kind: Kind) -> Callable[[Some], Int64s]:
        """`first_ns` of some jobs after others, without an array of all where that can be done."""
        return partial(self.first_ns, kind) if self._many(kind) else self.first_ns(kind).__getitem__

    def last_ns(self, kind: Kind, jobs: Some | None = None) -> Int64s:
        """When the last event of this kind came; `NEVER` where none did."""
        return self._moments("last", kind, "time_ns", jobs)

    def first_value(self, kind: Kind, jobs: Some | None = None) -> Int64s:
        """The value of the first event of this kind; `NEVER` where there is none."""
        return self._moments("first", kind, "value", jobs)

    def first_process(self, kind: Kind, jobs: Some | None = None) -> Int64s:
        """The process that told the first event of this kind; 0 where there is none."""
        found = self._moments("first", kind, "process", jobs)
        return np.where(found == NEVER, 0, found)

    @property
    def intended_ns(self) -> Int64s:
        """The intended arrival: the earliest that an enqueue names; `NEVER` where there was no enqueue."""
        # A job sent through a service is intended by the producer, and begun by the service.
        kinds = (Kind.ENQUEUE_BEGIN, Kind.ENQUEUE_INTENDED)
        if len(self._columns.rows_of_jobs(Kind.ENQUEUE_INTENDED)):
            return self._once("intended", lambda: np.minimum(*(self.first_value(kind) for kind in kinds)))
        return self._once("intended", lambda: self.first_value(Kind.ENQUEUE_BEGIN))

    @property
    def due_ns(self) -> Int64s:
        """When the job could run at the earliest: its intended arrival, or its own later time; `NEVER` where there was
        no enqueue."""
        if not len(self._columns.rows_of_jobs(Kind.ENQUEUE_NOT_BEFORE)):
            return self.intended_ns
        return self._due()

    @property
    def completed_ns(self) -> Int64s:
        """When the job was first completed: its code returned, or it was given up for its own exception or time
        limit."""
        return self._once("completed", self._completed)

    def label(self, name: str) -> npt.NDArray[np.uint32]:
        """The job's `task` or `group` (row of texts), as the first event that has one says it; 0 where none does."""
        return self._once(("label", name), lambda: self._label(name))

    def _row(self, which: Which, kind: Kind) -> Rows:
        out = np.full(self._n_jobs, NO_ROW, np.uint32)
        place(out, self._columns["job"], self._columns.rows_of_jobs(kind)[ORDERS[which]])
        return out

    def _counted(self, kind: Kind) -> Counts:
        rows = self._columns.rows_of_jobs(kind)
        if not self._many(kind):
            return self._counted_anew(rows)
        once = self.has(kind).view(np.uint8)
        if np.count_nonzero(once) == len(rows):  # No job has two.
            return once
        firsts = taken(self.row("first", kind), self._columns.jobs(kind)) == rows
        further = self._counted_anew(rows[~firsts])
        return further + once  # One may be added to a byte, see there.

    def _counted_anew(self, rows: Rows) -> Counts:
        if not len(rows):
            return np.broadcast_to(np.uint8(0), self._n_jobs)
        few, job = np.zeros(self._n_jobs, np.uint8), self._columns["job"]
        for some in slices(len(rows)):
            np.add.at(few, job[rows[some]], np.uint8(1))
        # Where a byte ran over, the sum falls short. One may be added to what is returned.
        if few.sum(dtype=np.int64) == len(rows) and few.max() < np.iinfo(np.uint8).max:
            return few
        return np.bincount(job[rows], minlength=self._n_jobs).astype(np.uint32)

    def _moments(self, which: Which, kind: Kind, column: str, jobs: Some | None) -> Int64s:
        values, rows = self._columns[column], self._columns.rows_of_jobs(kind)
        if jobs is None and not self._many(kind):
            moments = np.full(self._n_jobs, NEVER, np.int64)
            place(moments, self._columns["job"], rows[ORDERS[which]], values)
            return moments
        row = self.row(which, kind)[slice(None) if jobs is None else jobs]
        moments = taken(values, row).astype(np.int64, copy=False) if len(rows) else np.empty(len(row), np.int64)
        np.putmask(moments, row == NO_ROW, NEVER)
        return moments

    def _often(self, kind: Kind, name: Hashable, make: Callable[[], Made]) -> Made:
        """What `make` makes of the events of this kind: kept, but where they are few."""
        return self._once(name, make) if self._many(kind) else make()

    def _many(self, kind: Kind) -> bool:
        return len(self._columns.rows_of_jobs(kind)) >= self._n_jobs * FEW and self._n_jobs > 0

    def _dead_rows(self, reasons: tuple[Dead, ...]) -> Rows:
        rows = self._columns.rows_of_jobs(Kind.JOB_DEAD)
        return rows[np.isin(self._columns["value"][rows], [int(reason) for reason in reasons])]

    def _due(self) -> Int64s:
        due_ns, rows = self.intended_ns.copy(), self._columns.rows_of_jobs(Kind.ENQUEUE_NOT_BEFORE)[ORDERS["first"]]
        delayed = self._columns["job"][rows]
        due_ns[delayed] = np.maximum(self.intended_ns[delayed], self._columns["value"][rows])
        return due_ns

    def _completed(self) -> Int64s:
        rows = self._dead_rows((Dead.RAISED, Dead.TIMED_OUT))[::-1]
        # What never ran was not completed, whatever was said of it; as far as it could be seen to run.
        if not self._runs_unseen:
            rows = rows[self.has(Kind.JOB_RUNNING)[self._columns["job"][rows]]]
        finished_ns = self.first_ns(Kind.JOB_FINISHED)
        if not len(rows):
            return finished_ns
        jobs = self._columns["job"][rows]
        completed_ns = finished_ns.copy()
        completed_ns[jobs] = np.minimum(finished_ns[jobs], self._columns["time_ns"][rows])
        return completed_ns

    def _label(self, name: str) -> npt.NDArray[np.uint32]:
        labels = self._columns[name]
        if self._many(Kind.ENQUEUE_BEGIN) and self.has(Kind.ENQUEUE_BEGIN).all():
            out = taken(labels, self.row("first", Kind.ENQUEUE_BEGIN))
            if out.all():  # As nearly always: each job's first event says all.
                return out
        out = np.zeros(self._n_jobs, np.uint32)
        for kind in (Kind.ENQUEUE_BEGIN, Kind.ENQUEUE_INTENDED, Kind.JOB_RECEIVED, Kind.JOB_RUNNING):
            rows = self._columns.rows_of_jobs(kind)
            rows = rows[taken(labels, rows) > 0]
            named = np.zeros(self._n_jobs, np.uint32)
            place(named, self._columns["job"], rows[ORDERS["first"]], labels)
            np.copyto(out, named, where=out == 0)
            if out.all():
                break
        return out
