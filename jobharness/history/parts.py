"""A saved History, part by part: for one that is larger than memory.

Jobs are numbered as they first appear, so a range of jobs lies in few row groups of the Parquet file, and the
statistics of the others say that they need not be read. Each part also has the events that are about no job.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from jobharness.history.columns import Int64s
from jobharness.history.event import Kind
from jobharness.history.frame import EVENT_SCHEMA, PROCESS_SCHEMA, History
from jobharness.history.log import about_of

__all__ = ["Part", "PartedHistory"]


@dataclass(frozen=True, eq=False)
class Part:
    """Some jobs of a History, numbered from 0, as a History. `rows`: (n_events,) the numbers of its events in the
    whole."""

    history: History
    first_job: int
    rows: Int64s

    def whole(self, table: pl.DataFrame) -> pl.DataFrame:
        """A table with the part's `job` and `row` numbers replaced by those of the whole."""
        columns: list[pl.Expr | pl.Series] = []
        if "job" in table.columns:
            columns.append((pl.col("job") + self.first_job).cast(pl.UInt32))
        if "row" in table.columns:
            rows = table["row"].cast(pl.UInt32)
            numbers = self.rows[rows.fill_null(0).to_numpy()] if table.height else self.rows[:0]
            columns.append(pl.Series("row", numbers, pl.UInt32).set(rows.is_null(), None))
        return table.with_columns(columns)


class PartedHistory:
    """The saved History at `path`. Reads nothing but its size and the events about no job at first.

    Raises: HistoryUnreadable, as `log.load`.
    """

    def __init__(self, path: Path) -> None:
        about = about_of(path)
        self._path = path
        self._processes = pl.DataFrame(about["processes"], schema=PROCESS_SCHEMA)
        self._texts = pl.Series("texts", about["texts"], dtype=pl.String)
        ends = self._scan().select(pl.col("job").max(), pl.col("time_ns").max()).collect(engine="streaming").row(0)
        self.n_jobs = 0 if ends[0] is None else int(ends[0]) + 1
        self._header = {**about["header"], "end_ns": ends[1] or 0}
        self._of_none = self._read(pl.col("job").is_null())

    def _scan(self) -> pl.LazyFrame:
        return pl.scan_parquet(self._path, row_index_name="row").select("row", *EVENT_SCHEMA)

    def _read(self, wanted: pl.Expr) -> pl.DataFrame:
        return self._scan().filter(wanted).collect(engine="streaming")

    @property
    def run(self) -> Part:
        """The events about no job, and every strike, as if it were about none."""
        strikes = self._read(pl.col("job").is_not_null() & (pl.col("kind") == int(Kind.FAULT_HIT)))
        events = pl.concat([self._of_none, strikes.with_columns(job=pl.lit(None, pl.UInt32))])
        return self._part(events, 0, 0)

    def parts(self, jobs_at_once: int = 500_000) -> Iterator[Part]:
        """All jobs, so many at a time."""
        for first in range(0, self.n_jobs, jobs_at_once):
            count = min(jobs_at_once, self.n_jobs - first)
            mine = self._read(pl.col("job").is_between(first, first + count - 1))
            mine = mine.with_columns((pl.col("job") - first).cast(pl.UInt32))
            yield self._part(pl.concat([self._of_none, mine]), first, count)

    def _part(self, events: pl.DataFrame, first: int, count: int) -> Part:
        events = events.sort("row").rechunk()
        # Names are looked up in the whole, for the few jobs that offend; here only their number counts.
        zeros = np.zeros(count, np.uint64)
        jobs = pl.DataFrame({"key_hi": zeros, "key_lo": zeros}).with_columns(id=pl.lit(None, pl.String))
        history = History(
            events=events.select(pl.col(name).cast(kind) for name, kind in EVENT_SCHEMA.items()),
            jobs=jobs,
            processes=self._processes,
            texts=self._texts,
            header=self._header,
        )
        return Part(history, first, events["row"].to_numpy().astype(np.int64))
