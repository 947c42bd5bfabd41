"""Reads record files into a History, and keeps a History as Parquet.

Reading is done after the writers are gone (or while they write: what is committed by then is read). A slot that a
crash cut off is skipped and counted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from jobharness.agent import record
from jobharness.errors import HistoryUnreadable
from jobharness.history.event import Kind
from jobharness.history.frame import EVENT_SCHEMA, JOB_SCHEMA, PROCESS_SCHEMA, History

__all__ = ["HISTORY_SCHEMA", "RecordFile", "gather", "load", "read_record_file", "save"]

HISTORY_SCHEMA = 1
RECORD_DTYPE = np.dtype([(name, kind) for name, kind in record.FIELDS])


@dataclass(frozen=True)
class RecordFile:
    """One record file, read: `records` is (n,) of RECORD_DTYPE in slot order; `torn` counts slots cut off by a crash."""

    path: Path
    about: Mapping[str, Any]
    process: int
    segment: int
    failed: bool
    closed: bool
    records: np.ndarray[Any, np.dtype[np.void]]
    torn: int
    texts: list[str]


def read_record_file(path: Path) -> RecordFile:
    """Read one record file and its texts.

    Raises: HistoryUnreadable when the file is no record file, or of a newer schema.
    """
    raw = path.read_bytes()
    if len(raw) < record.HEADER_BYTES or raw[:8] != record.MAGIC:
        raise HistoryUnreadable(str(path), "is not a record file of jobharness (or was cut off in its header)")
    _, schema, flags, process, segment, _started_ns, about_bytes = record.HEADER.unpack_from(raw)
    if schema > record.SCHEMA:
        raise HistoryUnreadable(
            str(path), f"has record schema {schema}; this version reads up to {record.SCHEMA}. Update jobharness."
        )
    about = json.loads(raw[record.HEADER.size : record.HEADER.size + about_bytes])
    slots = (len(raw) - record.HEADER_BYTES) // record.RECORD_BYTES
    table = np.frombuffer(raw, RECORD_DTYPE, count=slots, offset=record.HEADER_BYTES)
    committed = table["commit"] == (np.arange(slots, dtype=np.uint32) ^ np.uint32(record.COMMIT))
    used = committed | (table["time_ns"] != 0)
    return RecordFile(
        path=path,
        about=about,
        process=process,
        segment=segment,
        failed=bool(flags & record.FLAG_FAILED),
        closed=bool(flags & record.FLAG_CLOSED),
        records=table[committed],
        torn=int(used.sum() - committed.sum()),
        texts=read_texts(path.with_name(path.name.rsplit(".", 2)[0] + ".texts")),
    )


def read_texts(path: Path) -> list[str]:
    """The texts of one process, number 1 first; a last line that was cut off is left out."""
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")[:-1]
    return [json.loads(line) for line in lines]


def gather(folder: Path, header: Mapping[str, Any]) -> History:
    """The History of all record files in `folder`. Cost: linear but for one sort by time.

    Raises: HistoryUnreadable for a file that is none of ours.
    """
    files = [read_record_file(path) for path in sorted(folder.glob("*.rec"))]
    texts: dict[str, int] = {"": 0}
    frames: list[pl.DataFrame] = []
    processes: list[dict[str, Any]] = []
    numbers: dict[tuple[int, str], int] = {}
    for file in files:
        stem = file.path.name.rsplit(".", 2)[0]
        number = numbers.setdefault((file.process, stem), len(numbers))
        if number == len(processes):
            processes.append(_process_row(file))
        frames.append(_frame(file, number, texts))
    return _assemble(frames, processes, texts, {"schema": HISTORY_SCHEMA, **header, "torn": sum(f.torn for f in files)})


def _process_row(file: RecordFile) -> dict[str, Any]:
    return {
        "name": file.about["name"],
        "role": file.about["role"],
        "pid": file.process,
        "host": file.about.get("host", ""),
        "failed": file.failed,
    }


def _frame(file: RecordFile, process: int, texts: dict[str, int]) -> pl.DataFrame:
    """One file's records, its texts renumbered into the run's."""
    renumber = np.zeros(len(file.texts) + 1, np.uint32)
    for number, words in enumerate(file.texts, start=1):
        renumber[number] = texts.setdefault(words, len(texts))
    rows = file.records

    def renumbered(column: str) -> np.ndarray[Any, np.dtype[np.uint32]]:
        return np.take(renumber, rows[column])

    return pl.DataFrame(
        {
            "time_ns": rows["time_ns"].astype(np.int64),
            "key_hi": rows["key_hi"].astype(np.uint64),
            "key_lo": rows["key_lo"].astype(np.uint64),
            "kind": rows["kind"].astype(np.uint8),
            "attempt": rows["attempt"].astype(np.uint16),
            "process": np.full(len(rows), process, np.uint32),
            "task": renumbered("task"),
            "text": renumbered("text"),
            "group": renumbered("group"),
            "value": rows["value"].astype(np.int64),
        }
    )


def _assemble(
    frames: list[pl.DataFrame], processes: list[dict[str, Any]], texts: dict[str, int], header: Mapping[str, Any]
) -> History:
    words = pl.Series("texts", list(texts), dtype=pl.String)
    process_table = pl.DataFrame(processes, schema=PROCESS_SCHEMA)
    if not frames:
        empty = pl.DataFrame(schema=EVENT_SCHEMA)
        return History(empty, pl.DataFrame(schema=JOB_SCHEMA), process_table, words, header)
    table = pl.concat(frames).sort("time_ns", maintain_order=True)
    keyed = table.filter((pl.col("key_hi") != 0) | (pl.col("key_lo") != 0))
    jobs = keyed.select("key_hi", "key_lo").unique(maintain_order=True).with_row_index("job")
    events = table.join(jobs, on=["key_hi", "key_lo"], how="left", maintain_order="left")
    return History(
        events=events.select(pl.col(name).cast(kind) for name, kind in EVENT_SCHEMA.items()),
        jobs=_name(jobs, keyed, words),
        processes=process_table,
        texts=words,
        header=dict(header),
    )


# The kinds whose text is the job's id, where the key alone does not tell it.
_NAMING_KINDS = [int(kind) for kind in (Kind.ENQUEUE_BEGIN, Kind.ENQUEUE_INTENDED, Kind.JOB_RECEIVED, Kind.JOB_RUNNING)]


def _name(jobs: pl.DataFrame, keyed: pl.DataFrame, words: pl.Series) -> pl.DataFrame:
    """The table of jobs with the library's id, where an event names it; null where the key is the id (a UUID)."""
    named = (
        keyed.filter(pl.col("kind").is_in(_NAMING_KINDS) & (pl.col("text") > 0))
        .unique(["key_hi", "key_lo"], keep="first")
        .select("key_hi", "key_lo", number="text")
    )
    dictionary = words.to_frame("id").with_row_index("number")
    return (
        jobs.join(named, on=["key_hi", "key_lo"], how="left", maintain_order="left")
        .join(dictionary, on="number", how="left", maintain_order="left")
        .select("key_hi", "key_lo", "id")
    )


def save(history: History, path: Path) -> None:
    """Write a History as one Parquet file. All or nothing: a half-written file never has the name."""
    first = history.rows.filter(pl.col("job").is_not_null()).group_by("job").agg(pl.col("row").min())
    ids = history.jobs.lazy().with_row_index("job").join(first, on="job", how="inner").drop("job")
    events = history.rows.join(ids, on="row", how="left", maintain_order="left").drop("row").collect()
    about = {
        "header": dict(history.header),
        "processes": history.processes.to_dicts(),
        "texts": history.texts.to_list(),
    }
    partial = path.with_suffix(".partial")
    events.write_parquet(partial, compression="zstd", metadata={"jobharness": json.dumps(about, default=str)})
    partial.replace(path)


def load(path: Path) -> History:
    """Read a History that `save` wrote.

    Raises: HistoryUnreadable when the file is missing, truncated, foreign, or of a newer schema.
    """
    if not path.exists():
        raise HistoryUnreadable(str(path), "does not exist")
    try:
        about = json.loads(pl.read_parquet_metadata(path).get("jobharness", "null"))
        table = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        raise HistoryUnreadable(str(path), f"is not a readable Parquet file ({str(error).splitlines()[0]})") from error
    if about is None:
        raise HistoryUnreadable(str(path), "is a Parquet file, but not a history of jobharness")
    if about["header"]["schema"] > HISTORY_SCHEMA:
        raise HistoryUnreadable(
            str(path),
            f"has schema {about['header']['schema']}; this version reads up to {HISTORY_SCHEMA}. Update jobharness.",
        )
    jobs = table.filter(pl.col("key_hi").is_not_null()).sort("job").select(list(JOB_SCHEMA))
    return History(
        events=table.select(pl.col(name).cast(kind) for name, kind in EVENT_SCHEMA.items()),
        jobs=jobs,
        processes=pl.DataFrame(about["processes"], schema=PROCESS_SCHEMA),
        texts=pl.Series("texts", about["texts"], dtype=pl.String),
        header=about["header"],
    )
