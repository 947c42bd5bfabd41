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
from jobharness.history.texts import TextFiles, Texts

__all__ = ["HISTORY_SCHEMA", "RecordFile", "about_of", "gather", "load", "read_record_file", "save"]

HISTORY_SCHEMA = 1
RECORD_DTYPE = np.dtype([(name, kind) for name, kind in record.FIELDS])
KINDS = np.array(list(Kind), dtype=np.uint16)
EVENTS_AT_ONCE = 2**22


@dataclass(frozen=True)
class RecordFile:
    """One record file, read: `records` is (n,) of RECORD_DTYPE in slot order; `torn` counts slots cut off by a crash.

    `texts`: the texts of its process by number; they are the same for all its files.
    """

    path: Path
    about: Mapping[str, Any]
    process: int
    segment: int
    failed: bool
    closed: bool
    records: np.ndarray[Any, np.dtype[np.void]]
    torn: int
    texts: Texts

    @property
    def stem(self) -> str:
        """What the files of one process have in common."""
        return _stem_of(self.path)


def _stem_of(path: Path) -> str:
    return path.name.rsplit(".", 2)[0]


def read_record_file(path: Path, text_files: TextFiles | None = None) -> RecordFile:
    """Read one record file, and its texts from `text_files` of its folder, which several readings may share.

    Raises: HistoryUnreadable when the file is no record file, or of another schema, or holds what this version does not know.
    """
    raw = path.read_bytes()
    if len(raw) < record.HEADER_BYTES or raw[:8] != record.MAGIC:
        raise HistoryUnreadable(str(path), "is not a record file of jobharness (or was cut off in its header)")
    _, schema, flags, process, segment, _started_ns, about_bytes = record.HEADER.unpack_from(raw)
    if schema != record.SCHEMA:
        raise HistoryUnreadable(
            str(path),
            f"has record schema {schema}; this version reads {record.SCHEMA}. Have the same version of jobharness on every node.",
        )
    slots = (len(raw) - record.HEADER_BYTES) // record.RECORD_BYTES
    table = np.frombuffer(raw, RECORD_DTYPE, count=slots, offset=record.HEADER_BYTES)
    committed = table["commit"] == (np.arange(slots, dtype=np.uint32) + np.uint32(record.COMMIT))
    used = committed | (table["time_ns"] != 0)
    about = _about(path, raw[record.HEADER.size : record.HEADER.size + about_bytes])
    # The texts are read after the records, so that every text that a record names is among them.
    texts = (text_files or TextFiles(path.parent)).of(_stem_of(path), about)
    return RecordFile(
        path=path,
        about=about,
        process=process,
        segment=segment,
        failed=bool(flags & record.FLAG_FAILED),
        closed=bool(flags & record.FLAG_CLOSED),
        records=_checked(path, table[committed & (table["kind"] != record.VOID)], texts),
        torn=int(used.sum() - committed.sum()),
        texts=texts,
    )


def _about(path: Path, raw: bytes) -> Mapping[str, Any]:
    try:
        about = json.loads(raw)
    except ValueError as error:
        raise HistoryUnreadable(str(path), "has a damaged header: it does not say which process wrote it") from error
    if not isinstance(about, dict) or not {"name", "role"} <= about.keys():
        raise HistoryUnreadable(str(path), "has a header without the name and the role of the process that wrote it")
    return about


def _checked(path: Path, records: np.ndarray[Any, np.dtype[np.void]], texts: Texts) -> np.ndarray[Any, np.dtype[np.void]]:
    strange = records["kind"][~np.isin(records["kind"], KINDS)]
    if len(strange):
        raise HistoryUnreadable(
            str(path), f"holds an event of kind {strange[0]}, which this version does not know. Update jobharness."
        )
    named = (records["task"], records["group"], records["text"][records["text"] < record.DECIMAL])
    highest = max((int(numbers.max()) for numbers in named if len(numbers)), default=0)
    if highest > texts.last():
        raise HistoryUnreadable(str(path), f"names text {highest}, but the file of its texts ends at {texts.last()}")
    return records


def gather(folder: Path, header: Mapping[str, Any]) -> History:
    """The History of all record files in `folder`. Cost: linear but for one sort by time.

    Raises: HistoryUnreadable for a file that is none of ours.
    """
    text_files = TextFiles(folder)
    read = (read_record_file(path, text_files) for path in folder.glob("*.rec"))
    files = sorted(read, key=lambda file: (file.stem, file.segment))
    texts: dict[str, int] = {"": 0}
    processes = _Processes()
    frames = [_frame(file, processes.numbers_in(file), texts) for file in files]
    for mark in sorted(folder.glob("*" + record.FAILED_SUFFIX)):
        processes.failed(mark.name.removesuffix(record.FAILED_SUFFIX))
    about = {"schema": HISTORY_SCHEMA, **header, "torn": sum(file.torn for file in files)}
    return _assemble(frames, processes.rows, texts, about)


class _Processes:
    """The table of the processes that wrote some files: one row for each, by the name that its files have in common.

    A fork that wrote only in its parent's file has no such name, and goes by that of its parent and its process id.
    """

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self._numbers: dict[tuple[str, int], int] = {}
        self._forks: dict[tuple[str, int], int] = {}  # Of those that wrote in their parent's file, by name and process id.

    def numbers_in(self, file: RecordFile) -> np.ndarray[Any, np.dtype[np.uint32]]:
        """(n,) the number of the process of each record."""
        own = self._of(file, file.process)
        # A process may fail in a later file than its first.
        self.rows[own]["failed"] |= file.failed
        wrote, places = np.unique(file.records["process"], return_inverse=True)
        return np.array([self._of(file, process) for process in wrote.tolist()], np.uint32)[places]

    def failed(self, stem: str) -> None:
        """A process could not record anything in a file of its own."""
        row = _unheard_row(stem)
        known = self._numbers.get((stem, 0), self._forks.get((row["name"], row["pid"])))
        if known is None:
            self.rows.append(row)
        else:
            self.rows[known]["failed"] = True

    def _of(self, file: RecordFile, process: int) -> int:
        lender = file.stem if process != file.process else file.about.get("lender")
        key = (lender, process) if lender else (file.stem, 0)
        number = self._numbers.setdefault(key, len(self.rows))
        if number == len(self.rows):
            about = file.about
            row = {"name": about["name"], "role": about["role"], "pid": process, "host": about.get("host", ""), "failed": False}
            self.rows.append(row)
            if lender:
                self._forks[about["name"], process] = number
        return number


def _unheard_row(stem: str) -> dict[str, Any]:
    """The row of a process that could not record anything; its name is all there is (see `agent.record`)."""
    role, _, rest = stem.partition(".")
    name, pid, _ = rest.rsplit(".", 2)
    return {"name": name, "role": role, "pid": int(pid), "host": "", "failed": True}


def _frame(file: RecordFile, processes: np.ndarray[Any, np.dtype[np.uint32]], texts: dict[str, int]) -> pl.DataFrame:
    """One file's records, its texts renumbered into the run's."""
    rows = file.records
    spelt = rows["text"] >= record.DECIMAL  # The key tells the job's id.
    told = np.stack([rows["task"], np.where(spelt, 0, rows["text"]), rows["group"]])
    numbers, places = np.unique(told, return_inverse=True)
    ours = [texts.setdefault(words, len(texts)) for words in map(file.texts.__getitem__, numbers.tolist())]
    task, text, group = np.array(ours, np.uint32)[places.reshape(told.shape)]
    return pl.DataFrame(
        {
            "time_ns": rows["time_ns"].astype(np.int64),
            "key_hi": rows["key_hi"].astype(np.uint64),
            "key_lo": rows["key_lo"].astype(np.uint64),
            "kind": rows["kind"].astype(np.uint8),
            "attempt": rows["attempt"].astype(np.uint16),
            "process": processes,
            "task": task,
            "text": text,
            "group": group,
            "value": rows["value"].astype(np.int64),
            "form": np.where(spelt, rows["text"], np.uint32(0)),
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
        keyed.filter(pl.col("kind").is_in(_NAMING_KINDS) & ((pl.col("text") > 0) | (pl.col("form") > 0)))
        .unique(["key_hi", "key_lo"], keep="first")
        .select("key_hi", "key_lo", "form", number="text")
    )
    dictionary = words.to_frame("id").with_row_index("number")
    written = named.filter(pl.col("form") == 0).join(dictionary, on="number", how="left").select("key_hi", "key_lo", "id")
    told = pl.concat([written, _spelt(named.filter(pl.col("form") > 0))])
    return jobs.join(told, on=["key_hi", "key_lo"], how="left", maintain_order="left").select("key_hi", "key_lo", "id")


def _spelt(named: pl.DataFrame) -> pl.DataFrame:
    """The ids that the jobs' keys tell in another form than a UUID's (see `agent.record.spelt`)."""
    rows = named.select("key_hi", "key_lo", "form").iter_rows()
    ids = [record.spelt((high << 64 | low).to_bytes(16, "big"), form) for high, low, form in rows]
    return named.select("key_hi", "key_lo").with_columns(pl.Series("id", ids, pl.String))


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
    about = about_of(path)
    try:
        named = pl.scan_parquet(path).filter(pl.col("key_hi").is_not_null()).select("job", *JOB_SCHEMA)
        jobs = named.collect(engine="streaming")
        jobs = (jobs if jobs["job"].is_sorted() else jobs.sort("job")).select(list(JOB_SCHEMA))
        if jobs["id"].null_count() == jobs.height:
            jobs = jobs.with_columns(id=pl.lit(None, pl.String))  # One value that stands for all.
        height = pl.scan_parquet(path).select(pl.len()).collect().item()
        events = pl.DataFrame([_column(path, name, kind, height) for name, kind in EVENT_SCHEMA.items()])
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _unreadable(path, error) from error
    return History(
        events=events,
        jobs=jobs,
        processes=pl.DataFrame(about["processes"], schema=PROCESS_SCHEMA),
        texts=pl.Series("texts", about["texts"], dtype=pl.String),
        header=about["header"],
    )


def _column(path: Path, name: str, kind: Any, height: int) -> pl.Series:
    """One column, read into its place part by part: as a whole it would be there twice while its chunks are joined, and polars
    keeps for itself what it frees then."""
    values = np.empty(height, pl.Series(dtype=kind).to_numpy().dtype)
    for start in range(0, height, EVENTS_AT_ONCE):
        part = pl.scan_parquet(path).select(pl.col(name).cast(kind)).slice(start, EVENTS_AT_ONCE).collect().to_series()
        if part.null_count():
            return pl.read_parquet(path, columns=[name]).to_series().cast(kind).rechunk()
        values[start : start + len(part)] = part.to_numpy()
    return pl.Series(name, values)


def about_of(path: Path) -> Mapping[str, Any]:
    """What a saved History says of itself beside its events: `header`, `processes`, `texts`.

    Raises: HistoryUnreadable, as `load`.
    """
    if not path.exists():
        raise HistoryUnreadable(str(path), "does not exist")
    try:
        about = json.loads(pl.read_parquet_metadata(path).get("jobharness", "null"))
        columns = set(pl.read_parquet_schema(path))
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    schema = _schema_of(about)
    if schema is None or (schema <= HISTORY_SCHEMA and not {*EVENT_SCHEMA, *JOB_SCHEMA} <= columns):
        raise HistoryUnreadable(str(path), "is a Parquet file, but not a history of jobharness")
    if schema > HISTORY_SCHEMA:
        raise HistoryUnreadable(str(path), f"has schema {schema}; this version reads up to {HISTORY_SCHEMA}. Update jobharness.")
    known: Mapping[str, Any] = about
    return known


def _unreadable(path: Path, error: Exception) -> HistoryUnreadable:
    return HistoryUnreadable(str(path), f"is not a readable Parquet file ({str(error).splitlines()[0]})")


def _schema_of(about: Any) -> int | None:
    """The schema number that a saved History gives of itself; None where it is none of ours."""
    header = about.get("header") if isinstance(about, dict) and {"processes", "texts"} <= about.keys() else None
    schema = header.get("schema") if isinstance(header, dict) else None
    return schema if isinstance(schema, int) else None
