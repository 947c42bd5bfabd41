"""The History: every event of a run in one columnar table, in the order of time.

    record files --log.gather--> History --save--> history.parquet --load--> History

Jobs, processes and texts are numbers in the table; their names stand in tables of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
import polars as pl

from jobharness.clock import seconds_between
from jobharness.history.clocks import Clocks, Node
from jobharness.history.columns import Columns, Tally
from jobharness.history.event import Kind
from jobharness.history.executions import Executions, executions_of
from jobharness.history.lives import lives_of
from jobharness.history.once import Once
from jobharness.history.slices import taken

__all__ = ["EVENT_SCHEMA", "JOB_SCHEMA", "PROCESS_SCHEMA", "History", "Moment"]

EVENT_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "time_ns": pl.Int64,  # monotonic; ascending; ties keep the order of the files
    "job": pl.UInt32,  # row of `jobs`; null where the event is about no job
    "kind": pl.UInt8,  # a Kind
    "attempt": pl.UInt16,  # the library's own count, from 1; 0 unknown
    "process": pl.UInt32,  # row of `processes`
    "task": pl.UInt32,  # row of `texts`; 0 is no text
    "text": pl.UInt32,  # row of `texts`
    "group": pl.UInt32,  # row of `texts`
    "value": pl.Int64,  # by kind, see event.DESCRIPTIONS
}

JOB_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "key_hi": pl.UInt64,  # the 128-bit key, high half
    "key_lo": pl.UInt64,
    "id": pl.String,  # the library's own id; null where the key, written as a UUID, is the id
}

PROCESS_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "name": pl.String,  # such as worker-1; a worker's children and its replacements carry the same name
    "role": pl.String,
    "pid": pl.Int64,
    "host": pl.String,
    "failed": pl.Boolean,  # its recorder could not go on: events are missing
}


@dataclass(frozen=True)
class Moment:
    """One event, for people. `since_s` counts from the job's enqueue (its first event, where there is none)."""

    row: int
    since_s: float
    kind: Kind
    worker: str
    attempt: int
    text: str
    value: int

    def __str__(self) -> str:
        attempt = f" attempt {self.attempt}" if self.attempt else ""
        text = f"  {self.text}" if self.text else ""
        return f"{self.since_s:+9.3f} s  {self.kind.name_:<21} {self.worker}{attempt}{text}"


@dataclass(frozen=True, eq=False)
class History:
    """What happened in one run. Immutable; contracts and metrics are functions of it, in any number of threads.

    `events`: one row per event, columns and types of `EVENT_SCHEMA`, ascending in time; the row number is the
    event's identity. `jobs`: columns of `JOB_SCHEMA`, row = `events.job`. `processes`: columns of `PROCESS_SCHEMA`,
    row = `events.process`. `texts`: (n,) str, texts[0] == "". `header`: seed, versions, host, schema number and what
    the run put there.
    """

    events: pl.DataFrame
    jobs: pl.DataFrame
    processes: pl.DataFrame
    texts: pl.Series
    header: Mapping[str, Any] = field(default_factory=dict)
    _once: Once = field(default_factory=Once, init=False, repr=False)

    def __len__(self) -> int:
        return self.events.height

    def of(self, *kinds: Kind) -> pl.LazyFrame:
        """The events of these kinds, with their row numbers in column `row`."""
        return self.rows.filter(pl.col("kind").is_in([int(kind) for kind in kinds]))

    @property
    def rows(self) -> pl.LazyFrame:
        """All events, with their row numbers in column `row` (u32)."""
        return self.events.lazy().with_row_index("row")

    @property
    def columns(self) -> Columns:
        """The columns of `events` as arrays, and the rows of each kind."""
        return self._once("columns", lambda: Columns(self.events))

    @property
    def tally(self) -> Tally:
        """Counts and moments per job, each made when it is asked for, once."""
        return self._once("tally", lambda: Tally(self.columns, self.jobs.height, runs_unseen=Kind.JOB_RUNNING in self.unseen))

    @property
    def executions(self) -> Executions:
        """One entry per execution, see `jobharness.history.executions`; made once."""
        pids = self.processes["pid"]
        return self._once("executions", lambda: executions_of(self.columns, self.tally, self.workers, pids.to_numpy()))

    @cached_property
    def workers(self) -> npt.NDArray[np.uint32]:
        """(n_processes,) the number of the worker of each process: processes of one name and host are one worker."""
        ranks = self.processes.select(pl.struct("host", "name").rank("dense") - 1).to_series()
        return ranks.cast(pl.UInt32).to_numpy()

    @property
    def unseen(self) -> frozenset[Kind]:
        """The kinds of event that nobody could tell, such as when a job began, where completions were observed from outside."""
        return frozenset(kind for name in self.header.get("unseen", ()) if (kind := Kind.named(name)) is not None)

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes that told the history, where it was merged from several; else none."""
        return tuple(Node(**node) for node in self.header.get("nodes", ()))

    @cached_property
    def clocks(self) -> Clocks:
        """How far the clocks of the nodes are known."""
        return Clocks.of(self.header, self.nodes, self.processes.height)

    @cached_property
    def lives(self) -> pl.DataFrame:
        """One row per job, see `jobharness.history.lives`; made once. Contracts and metrics use `tally`."""
        return lives_of(self.tally)

    @property
    def end_ns(self) -> int:
        """The moment of the last event, ns; 0 without any. A part of a history knows that of the whole."""
        last = int(self.columns["time_ns"][-1]) if len(self) else 0
        return int(self.header.get("end_ns", last))

    def phase_ns(self, name: str) -> int | None:
        """When a phase of the run first began, ns; None where it never did."""
        rows = self.columns.rows(Kind.RUN_PHASE)
        number = self.number_of(name)
        named = rows[self.columns["text"][rows] == number] if number is not None else rows[:0]
        return int(self.columns["time_ns"][named[0]]) if len(named) else None

    def job_id(self, job: int) -> str:
        """The library's own id of a job."""
        key_hi, key_lo, job_id = self.jobs.row(job)
        return job_id or str(UUID(int=key_hi << 64 | key_lo))

    def text(self, number: int) -> str:
        """A text by its number; "" for 0."""
        return str(self.texts[number])

    def number_of(self, text: str) -> int | None:
        """The number of a text, or None where no event has it."""
        found = (self.texts == text).arg_true()
        return int(found[0]) if len(found) else None

    def jobs_of(self, tasks: Iterable[str]) -> npt.NDArray[np.bool_]:
        """Which jobs are of one of these tasks, (n_jobs,)."""
        named = self.texts.is_in(list(tasks)).to_numpy()
        return taken(named, self.tally.label("task"))

    def life(self, job: int) -> list[Moment]:
        """Every event of one job in order: its life story. Cost: one pass over the events."""
        return self.lives_told([job])[job]

    def lives_told(self, jobs: Iterable[int]) -> dict[int, list[Moment]]:
        """The life stories of several jobs. Cost: one pass over the events for all of them."""
        stories: dict[int, list[Moment]] = {job: [] for job in jobs}
        wanted = pl.Series("job", list(stories), dtype=pl.UInt32)
        rows = self.rows.filter(pl.col("job").is_in(wanted.implode())).collect()
        for key, events in rows.partition_by("job", as_dict=True, maintain_order=True).items():
            stories[int(key[0])] = self._told(events)
        return stories

    def _told(self, rows: pl.DataFrame) -> list[Moment]:
        begin = rows.filter(pl.col("kind") == int(Kind.ENQUEUE_BEGIN))["time_ns"]
        origin_ns = int(begin[0]) if len(begin) else int(rows["time_ns"][0])
        names = self.processes["name"]
        return [
            Moment(
                row=event["row"],
                since_s=seconds_between(origin_ns, event["time_ns"]),
                kind=Kind(event["kind"]),
                worker=str(names[event["process"]]),
                attempt=event["attempt"],
                text=self.text(event["text"]) if event["kind"] != Kind.ENQUEUE_BEGIN else "",
                value=event["value"],
            )
            for event in rows.iter_rows(named=True)
        ]

    def task_of(self, job: int) -> str:
        """The name of a job's task; "" where no event tells it."""
        named = self.events.lazy().filter((pl.col("job") == job) & (pl.col("task") > 0)).select("task").head(1).collect()
        return self.text(named["task"][0]) if named.height else ""
