"""The events as plain arrays, and what they add up to for each job: counts and moments, made when asked for.

Jobs are dense numbers, so a count is one `bincount` and a first event one scatter: linear, and no hashing. Ten
million jobs are a normal size.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
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

KEPT_BYTES = 250 * 2**20
"""How much of the moments that were made a `Tally` keeps; what was not used for longest is made again when it is asked for.
Counts and labels are kept: they are small, and a label costs more to make than a moment."""

FEWEST_KEPT = 3

FEW = 0.25
"""What is made of a kind with fewer events than this share of the jobs is made again each time: that is cheap."""


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
        of_each = [self.rows_of_jobs(kind)[taken(jobs, self.jobs(kind))] for kind in kinds]
        return np.sort(np.concatenate(of_each), kind="stable")


def _without_null(jobs: pl.Series) -> npt.NDArray[np.uint32]:
    out = np.empty(len(jobs), np.uint32)
    for some in slices(len(jobs)):
        out[some] = jobs[some].fill_null(NO_JOB).to_numpy()
    return out


def _rows_by_kind(kinds: npt.NDArray[np.uint8]) -> dict[int, Rows]:
    """The positions of each kind that occurs, ascending. Cost: one pass."""
    totals = np.zeros(256, np.int64)
    for some in slices(len(kinds)):
        totals += np.bincount(kinds[some], minlength=256)
    found = {kind: np.empty(total, np.uint32) for kind, total in enumerate(totals.tolist()) if total}
    filled = dict.fromkeys(found, 0)
    for some in slices(len(kinds)):
        order, sorted_ = np.argsort(kinds[some], kind="stable").astype(np.uint32), 0
        for kind, count in enumerate(np.bincount(kinds[some]).tolist()):
            if count:
                full = filled[kind]
                np.add(order[sorted_ : sorted_ + count], np.uint32(some.start), out=found[kind][full : full + count])
                filled[kind], sorted_ = full + count, sorted_ + count
    return found


def _drop_oldest(made: dict[Hashable, Any]) -> None:
    """Drops the moments that were not used for longest, where they take too much memory."""
    moments = [name for name, array in made.items() if array.itemsize == 8]
    kept = sum(made[name].nbytes for name in moments)
    for oldest in moments[: max(0, len(moments) - FEWEST_KEPT)]:
        if kept <= KEPT_BYTES:
            break
        kept -= made.pop(oldest).nbytes


class Tally:
    """Per job: how often a kind of event came, and when first or last. Arrays of shape (n_jobs,), in the order of
    `History.jobs`. Not to be written to."""

    def __init__(self, columns: Columns, n_jobs: int, *, runs_unseen: bool = False) -> None:
        self._columns, self._n_jobs, self._runs_unseen = columns, n_jobs, runs_unseen
        self._once = Once(_drop_oldest)

    def count(self, *kinds: Kind) -> Counts:
        """How many events of these kinds, together."""
        if len(kinds) == 1:
            return self._often(kinds[0], ("count", kinds), lambda: self._counted(self._columns.rows_of_jobs(kinds[0])))
        counts = [self.count(kind) for kind in kinds if len(self._columns.rows_of_jobs(kind))]
        if not counts:
            return self.count(kinds[0])
        total = counts[0].astype(np.uint32)
        for more in counts[1:]:
            total += more
        return total

    def has(self, *kinds: Kind) -> npt.NDArray[np.bool_]:
        """Whether there is an event of any of these kinds."""
        seen = self.count(kinds[0]) > 0
        for kind in kinds[1:]:
            if len(self._columns.rows_of_jobs(kind)):
                seen |= self.count(kind) > 0
        return seen

    def deaths(self, *reasons: Dead) -> Counts:
        """How many `job.dead` events with one of these reasons."""
        return self._once(("deaths", reasons), lambda: self._counted(self._dead_rows(reasons)))

    def first_ns(self, kind: Kind) -> Int64s:
        """When the first event of this kind came; `NEVER` where none did."""
        return self._moments("first", kind, "time_ns")

    def last_ns(self, kind: Kind) -> Int64s:
        """When the last event of this kind came; `NEVER` where none did."""
        return self._moments("last", kind, "time_ns")

    def first_value(self, kind: Kind) -> Int64s:
        """The value of the first event of this kind; `NEVER` where there is none."""
        return self._moments("first", kind, "value")

    def first_process(self, kind: Kind) -> Int64s:
        """The process that told the first event of this kind; 0 where there is none."""
        found = self._moments("first", kind, "process")
        return np.where(found == NEVER, 0, found)

    @property
    def intended_ns(self) -> Int64s:
        """The intended arrival: the earliest that an enqueue names; `NEVER` where there was no enqueue."""
        # A job sent through a service is intended by the producer, and begun by the service.
        if not len(self._columns.rows_of_jobs(Kind.ENQUEUE_INTENDED)):
            return self.first_value(Kind.ENQUEUE_BEGIN)
        kinds = (Kind.ENQUEUE_BEGIN, Kind.ENQUEUE_INTENDED)
        return self._once(("intended", kinds), lambda: np.minimum(*(self.first_value(kind) for kind in kinds)))

    @property
    def due_ns(self) -> Int64s:
        """When the job could run at the earliest: its intended arrival, or its own later time; `NEVER` where there was
        no enqueue."""
        if not len(self._columns.rows_of_jobs(Kind.ENQUEUE_NOT_BEFORE)):
            return self.intended_ns
        return self._once(("due", None), self._due)

    @property
    def completed_ns(self) -> Int64s:
        """When the job was first completed: its code returned, or it was given up for its own exception or time
        limit."""
        return self._once(("completed", None), self._completed)

    def label(self, name: str) -> npt.NDArray[np.uint32]:
        """The job's `task` or `group` (row of texts), as the first event that has one says it; 0 where none does."""
        return self._once(("label", name), lambda: self._label(name))

    def _counted(self, rows: Rows) -> Counts:
        if not len(rows):
            return np.broadcast_to(np.uint8(0), self._n_jobs)
        few, job = np.zeros(self._n_jobs, np.uint8), self._columns["job"]
        for some in slices(len(rows)):
            few[job[rows[some]]] = 1
        if few.sum(dtype=np.int64) == len(rows):  # No job has two.
            return few
        few[:] = 0
        for some in slices(len(rows)):
            np.add.at(few, job[rows[some]], np.uint8(1))
        # Where a byte ran over, the sum falls short. One may be added to what is returned.
        if few.sum(dtype=np.int64) == len(rows) and few.max() < np.iinfo(np.uint8).max:
            return few
        return np.bincount(job[rows], minlength=self._n_jobs).astype(np.uint32)

    def _moments(self, which: Literal["first", "last"], kind: Kind, column: str) -> Int64s:
        rows = self._columns.rows_of_jobs(kind)
        if not len(rows):
            return np.broadcast_to(np.int64(NEVER), self._n_jobs)
        return self._often(kind, (which, kind, column), lambda: self._scattered(which, kind, column))

    def _often(self, kind: Kind, name: Hashable, make: Callable[[], Made]) -> Made:
        """What `make` makes of the events of this kind: kept, but where they are few."""
        few = len(self._columns.rows_of_jobs(kind)) < self._n_jobs * FEW
        return make() if few else self._once(name, make)

    def _scattered(self, which: Literal["first", "last"], kind: Kind, column: str) -> Int64s:
        # Of several writes to one place the last stays.
        order = slice(None, None, -1 if which == "first" else 1)
        out = np.full(self._n_jobs, NEVER, np.int64)
        place(out, self._columns["job"], self._columns.rows_of_jobs(kind)[order], self._columns[column])
        return out

    def _dead_rows(self, reasons: tuple[Dead, ...]) -> Rows:
        rows = self._columns.rows_of_jobs(Kind.JOB_DEAD)
        return rows[np.isin(self._columns["value"][rows], [int(reason) for reason in reasons])]

    def _due(self) -> Int64s:
        due_ns, delayed = self.intended_ns.copy(), np.flatnonzero(self.has(Kind.ENQUEUE_NOT_BEFORE))
        due_ns[delayed] = np.maximum(due_ns[delayed], self.first_value(Kind.ENQUEUE_NOT_BEFORE)[delayed])
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
        out = np.zeros(self._n_jobs, np.uint32)
        for kind in (Kind.ENQUEUE_BEGIN, Kind.ENQUEUE_INTENDED, Kind.JOB_RECEIVED, Kind.JOB_RUNNING):
            # The latest first: of several writes to one place the last stays.
            rows = self._columns.rows_of_jobs(kind)[::-1]
            unnamed = out == 0
            for some in slices(len(rows)):
                found, mine = labels[rows[some]], self._columns["job"][rows[some]]
                wanted = (found > 0) & unnamed[mine]
                out[mine[wanted]] = found[wanted]
            if out.all():
                break
        return out
