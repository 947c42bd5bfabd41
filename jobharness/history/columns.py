"""The events as plain arrays, and what they add up to for each job: counts and moments, made when asked for.

Jobs are dense numbers, so a count is one `bincount` and a first moment one scatter: linear, and no hashing. Ten
million jobs are a normal size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from jobharness.history.event import Dead, Kind

__all__ = ["NEVER", "NO_JOB", "Columns", "Tally"]

NEVER = np.iinfo(np.int64).max
"""The moment of what never happened: later than everything."""

NO_JOB = np.iinfo(np.uint32).max
"""The job of an event that is about none."""

Int64s = npt.NDArray[np.int64]
Counts = npt.NDArray[np.uint16 | np.uint32]
Made = TypeVar("Made")


KEPT_BYTES = 600 * 2**20
"""How much of what was made a `Tally` keeps; what was not used for longest is made again when it is asked for."""

FEWEST_KEPT = 4


class Columns:
    """Views of the columns of a table of events, and the rows of each kind. `rows` are positions, ascending, so in
    the order of time."""

    def __init__(self, events: pl.DataFrame) -> None:
        self._events = events
        self._arrays: dict[str, npt.NDArray[Any]] = {}
        self._rows: dict[int, Int64s] | None = None

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        """The column as an array, `NO_JOB` for a null job. Not to be written to."""
        if name not in self._arrays:
            column = self._events[name]
            if column.null_count():
                column = column.fill_null(NO_JOB)
            self._arrays[name] = column.to_numpy()
        return self._arrays[name]

    def rows(self, kind: Kind) -> Int64s:
        """Where the events of one kind are."""
        if self._rows is None:
            kinds = self["kind"]
            order = np.argsort(kinds, kind="stable")  # A radix sort: one pass over bytes.
            bounds = np.cumsum(np.bincount(kinds, minlength=256))
            self._rows = {number: order[start:end] for number, start, end in zip(range(256), [0, *bounds], bounds, strict=False)}
        return self._rows[int(kind)]

    def rows_of_jobs(self, kind: Kind) -> Int64s:
        """Where the events of one kind are, without those that are about no job."""
        rows = self.rows(kind)
        if self._events["job"].null_count():
            rows = rows[self["job"][rows] != NO_JOB]
        return rows

    def rows_of_any(self, *kinds: Kind) -> Int64s:
        """Where the events of several kinds are, without those that are about no job."""
        return np.sort(np.concatenate([self.rows_of_jobs(kind) for kind in kinds]), kind="stable")


class Tally:
    """Per job: how often a kind of event came, and when first or last. Arrays of shape (n_jobs,), in the order of
    `History.jobs`."""

    def __init__(self, columns: Columns, n_jobs: int) -> None:
        self._columns, self._n_jobs = columns, n_jobs
        self._made: dict[tuple[str, Any], Any] = {}  # In the order of use.

    def count(self, *kinds: Kind) -> Counts:
        """How many events of these kinds, together."""
        if len(kinds) > 1:
            return np.asarray(np.sum([self.count(kind) for kind in kinds], axis=0, dtype=np.uint32))
        return self._once(("count", kinds), lambda: self._bincount(self._columns.rows_of_jobs(kinds[0])))

    def deaths(self, *reasons: Dead) -> Counts:
        """How many `job.dead` events with one of these reasons."""
        return self._once(("deaths", reasons), lambda: self._bincount(self._dead_rows(reasons)))

    def first_ns(self, kind: Kind) -> Int64s:
        """When the first event of this kind came; `NEVER` where none did."""
        return self._once(("first", kind), lambda: self._scatter(self._columns.rows_of_jobs(kind)[::-1], "time_ns", NEVER))

    def last_ns(self, kind: Kind) -> Int64s:
        """When the last event of this kind came; `NEVER` where none did."""
        return self._once(("last", kind), lambda: self._scatter(self._columns.rows_of_jobs(kind), "time_ns", NEVER))

    def first_value(self, kind: Kind) -> Int64s:
        """The value of the first event of this kind; `NEVER` where there is none."""
        return self._once(("value", kind), lambda: self._scatter(self._columns.rows_of_jobs(kind)[::-1], "value", NEVER))

    @property
    def intended_ns(self) -> Int64s:
        """The intended arrival: the earliest that an enqueue names; `NEVER` where there was no enqueue."""
        # A job sent through a service is intended by the producer, and begun by the service.
        kinds = (Kind.ENQUEUE_BEGIN, Kind.ENQUEUE_INTENDED)
        return self._once(("intended", kinds), lambda: np.minimum(*(self.first_value(kind) for kind in kinds)))

    @property
    def completed_ns(self) -> Int64s:
        """When the job was first completed: its code returned, or it was given up for its own exception or time
        limit."""
        return self._once(("completed", None), self._completed)

    def label(self, name: str) -> npt.NDArray[np.uint32]:
        """The job's `task` or `group` (row of texts), as the first event that has one says it; 0 where none does."""
        return self._once(("label", name), lambda: self._label(name))

    def _once(self, key: tuple[str, Any], make: Callable[[], Made]) -> Made:
        made: Made | None = self._made.pop(key, None)
        self._made[key] = made = make() if made is None else made  # The latest used stands last.
        while len(self._made) > FEWEST_KEPT and sum(array.nbytes for array in self._made.values()) > KEPT_BYTES:
            del self._made[next(iter(self._made))]
        return made

    def _bincount(self, rows: Int64s) -> Counts:
        counts = np.bincount(self._columns["job"][rows], minlength=self._n_jobs)
        # Strictly less, so that one may be added.
        return counts.astype(np.uint16 if counts.max(initial=0) < np.iinfo(np.uint16).max else np.uint32)

    def _scatter(self, rows: Int64s, column: str, nothing: int) -> Int64s:
        # Of several writes to one place the last stays (numpy: "Assigning values to indexed arrays").
        out = np.full(self._n_jobs, nothing, np.int64)
        out[self._columns["job"][rows]] = self._columns[column][rows]
        return out

    def _dead_rows(self, reasons: tuple[Dead, ...]) -> Int64s:
        rows = self._columns.rows_of_jobs(Kind.JOB_DEAD)
        return rows[np.isin(self._columns["value"][rows], [int(reason) for reason in reasons])]

    def _completed(self) -> Int64s:
        given_up = self._scatter(self._dead_rows((Dead.RAISED, Dead.TIMED_OUT))[::-1], "time_ns", NEVER)
        # What never ran was not completed, whatever was said of it.
        given_up[self.count(Kind.JOB_RUNNING) == 0] = NEVER
        return np.minimum(self.first_ns(Kind.JOB_FINISHED), given_up)

    def _label(self, name: str) -> npt.NDArray[np.uint32]:
        jobs, labels = self._columns["job"], self._columns[name]
        out = np.zeros(self._n_jobs, np.uint32)
        for kind in (Kind.ENQUEUE_BEGIN, Kind.ENQUEUE_INTENDED, Kind.JOB_RECEIVED, Kind.JOB_RUNNING):
            rows = self._columns.rows_of_jobs(kind)[::-1]
            rows = rows[(labels[rows] > 0) & (out[jobs[rows]] == 0)]
            out[jobs[rows]] = labels[rows]
            if out.all():
                break
        return out
