"""Merges the histories of several nodes into one: their times on one clock, their processes apart, their jobs joined.

    node's History + Node (offset, bound) … --merge--> History, header["nodes"]

Of two nodes that speak of one job each keeps what it saw. What a node's clock is not known for is kept with it, and contracts ask
for it (see `jobharness.history.clocks`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from jobharness.history.clocks import Node
from jobharness.history.columns import NO_JOB
from jobharness.history.event import Kind
from jobharness.history.frame import EVENT_SCHEMA, JOB_SCHEMA, History

__all__ = ["MOMENTS", "merge"]

MOMENTS = (Kind.ENQUEUE_BEGIN, Kind.ENQUEUE_INTENDED, Kind.ENQUEUE_NOT_BEFORE)
"""The kinds whose value is a moment, so that it moves with its node's clock."""

_PIDS = (Kind.WORKER_STARTED, Kind.PROCESS_STARTED, Kind.FAULT_HIT, Kind.RECORDER_FAILED)
_NAMES = (
    Kind.WORKER_STARTED,
    Kind.WORKER_EXITED,
    Kind.PROCESS_STARTED,
    Kind.PROCESS_EXITED,
    Kind.RECORDER_FAILED,
    Kind.RESOURCE_MEMORY,
    Kind.RESOURCE_DESCRIPTORS,
    Kind.RESOURCE_CPU,
    Kind.RESOURCE_MEMORY_LIMIT,
    Kind.LOG_WRITTEN,
)
_OTHER_PID = 2**32

Numbers = npt.NDArray[Any]


def merge(told: Sequence[tuple[Node, History]], header: Mapping[str, Any]) -> History:
    """One History of what all nodes told, on the first one's clock. `header`: what it says of itself beside its nodes.

    Processes of the first keep their names; those of another are called NODE/NAME, and where two nodes have a process of one
    number, that of the later one is told apart by bits above the 32nd. Events of one moment keep the order of the nodes.

    Cost: linear but for one sort of nearly sorted times.
    """
    nodes = tuple(_counted(node, history) for node, history in told)
    texts = _texts(nodes, [history for _, history in told])
    jobs, job_numbers = _jobs([history for _, history in told])
    processes, columns = [], []
    taken: set[int] = set()
    for number, (node, history) in enumerate(told):
        pids = _pids(history, taken, number)
        processes.append(_processes(node, history, pids, first=not number))
        columns.append(_moved(node, history, job_numbers[number], texts, pids, first=not number, base=_before(nodes, number)))
    events = _in_time({name: np.concatenate([each[name] for each in columns]) for name in EVENT_SCHEMA} if columns else {})
    del columns
    about = {**header, "torn": sum(int(history.header.get("torn", 0)) for _, history in told)}
    about["nodes"] = [asdict(node) for node in nodes]
    jobs = _by_appearance(events, jobs)
    return History(_table(events), jobs, pl.concat(processes), texts, about)


def _counted(node: Node, history: History) -> Node:
    return replace(node, processes=history.processes.height, jobs=history.jobs.height, events=len(history))


def _before(nodes: Sequence[Node], number: int) -> int:
    return sum(node.processes for node in nodes[:number])


def _texts(nodes: Sequence[Node], histories: Sequence[History]) -> pl.Series:
    """Every text once, the empty one first, and the names that processes of later nodes get."""
    named = [
        pl.Series([f"{node.name}/{name}" for name in history.processes["name"].unique(maintain_order=True)], dtype=pl.String)
        for node, history in zip(nodes[1:], histories[1:], strict=True)
    ]
    empty = pl.Series([""], dtype=pl.String)
    return pl.concat([empty, *(history.texts for history in histories), *named]).unique(maintain_order=True).rename("texts")


def _numbers_in(texts: pl.Series, words: pl.Series) -> Numbers:
    """(n,) the number of each of `words` among all texts; 0 of one that is not there."""
    known = texts.to_frame("words").with_row_index("number")
    found = words.to_frame("words").join(known, on="words", how="left", maintain_order="left")
    return found["number"].fill_null(0).to_numpy()


def _jobs(histories: Sequence[History]) -> tuple[pl.DataFrame, list[Numbers]]:
    """Every job once, and for each history the numbers of its jobs among them."""
    keys = ["key_hi", "key_lo"]
    every = pl.concat([history.jobs for history in histories]) if histories else pl.DataFrame(schema=JOB_SCHEMA)
    jobs = every.select(keys).unique(maintain_order=True).with_row_index("job")
    numbers = every.lazy().select(keys).join(jobs.lazy(), on=keys, how="left", maintain_order="left").select("job").collect()
    job = numbers.to_series().to_numpy()
    named = every.with_columns(job=job).filter(pl.col("id").is_not_null()).unique("job", keep="first").select("job", "id")
    table = jobs.join(named, on="job", how="left", maintain_order="left").select(list(JOB_SCHEMA))
    ends = np.cumsum([history.jobs.height for history in histories])
    return table, [job[end - history.jobs.height : end] for history, end in zip(histories, ends.tolist(), strict=True)]


def _pids(history: History, taken: set[int], number: int) -> dict[int, int]:
    """What each process id of a node that another node has, too, is from now on."""
    mine = set(history.processes["pid"].to_list())
    moved = {pid: pid + number * _OTHER_PID for pid in mine & taken}
    taken |= mine
    return moved


def _processes(node: Node, history: History, pids: Mapping[int, int], *, first: bool) -> pl.DataFrame:
    name = pl.col("name") if first else pl.concat_str(pl.lit(f"{node.name}/"), pl.col("name")).alias("name")
    host = pl.when(pl.col("host") == "").then(pl.lit(node.host)).otherwise(pl.col("host")).alias("host")
    pid = pl.col("pid").replace(dict(pids)) if pids else pl.col("pid")
    return history.processes.with_columns(name, host, pid)


def _moved(
    node: Node,
    history: History,
    job_numbers: Numbers,
    texts: pl.Series,
    pids: Mapping[int, int],
    *,
    first: bool,
    base: int,
) -> dict[str, Numbers]:
    """A node's events, its times on the common clock and its numbers those of all."""
    columns, words = history.columns, _numbers_in(texts, history.texts).astype(np.uint32)
    out = {name: columns[name] for name in ("kind", "attempt")}
    out["time_ns"] = columns["time_ns"] + np.int64(node.offset_ns)
    about_one = columns["job"] != NO_JOB
    out["job"] = np.full(len(history), NO_JOB, np.uint32)
    out["job"][about_one] = job_numbers[columns["job"][about_one]]
    out["process"] = columns["process"] + np.uint32(base)
    out.update({name: words[columns[name]] for name in ("task", "text", "group")})
    out["value"] = _values(node, history, pids)
    if not first:
        rows = np.concatenate([columns.rows(kind) for kind in _NAMES])
        spoken = np.unique(columns["text"][rows])
        renamed = _numbers_in(texts, f"{node.name}/" + history.texts.gather(spoken))
        told = np.searchsorted(spoken, columns["text"][rows])
        out["text"][rows] = np.where(renamed[told] > 0, renamed[told], out["text"][rows])
    return out


def _values(node: Node, history: History, pids: Mapping[int, int]) -> Numbers:
    columns = history.columns
    values = columns["value"].copy()
    for kind in MOMENTS:
        rows = columns.rows(kind)
        values[rows] += np.where(values[rows] == 0, 0, np.int64(node.offset_ns))  # 0: nobody said when.
    for kind in _PIDS if pids else ():
        for row in columns.rows(kind).tolist():
            values[row] = pids.get(int(values[row]), values[row])
    return values


def _in_time(columns: dict[str, Numbers]) -> dict[str, Numbers]:
    if not columns:
        return {}
    # The runs of the nodes are sorted each: a stable sort merges them.
    order = np.argsort(columns["time_ns"], kind="stable")
    return {name: columns.pop(name)[order] for name in list(columns)}


def _by_appearance(events: dict[str, Numbers], jobs: pl.DataFrame) -> pl.DataFrame:
    """The jobs in the order in which they first appear, `events` renumbered: neighbours in time stay neighbours on disk."""
    if not events:
        return jobs
    job, rows = events["job"], np.arange(len(events["job"]))
    first = np.full(jobs.height, len(rows), np.int64)
    about_one = job != NO_JOB
    first[job[about_one][::-1]] = rows[about_one][::-1]
    order = np.argsort(first, kind="stable")
    rank = np.empty(jobs.height, np.uint32)
    rank[order] = np.arange(jobs.height, dtype=np.uint32)
    job[about_one] = rank[job[about_one]]
    return jobs[order]


def _table(events: dict[str, Numbers]) -> pl.DataFrame:
    if not events:
        return pl.DataFrame(schema=EVENT_SCHEMA)
    table = pl.DataFrame({name: events[name] for name in EVENT_SCHEMA}, schema=EVENT_SCHEMA)
    if not (events["job"] == NO_JOB).any():
        return table
    return table.with_columns(job=pl.when(pl.col("job") != NO_JOB).then(pl.col("job")).otherwise(None))
