"""A trace: what arrived at a running system, to be replayed.

One row a job: `at_s` (seconds, or a moment as ISO 8601; what counts is the time since the first), `task`, and where known
`size_bytes`, `run_time_s`, `outcome` ("finished", "failed", "dead" or "unknown"), `args` and `kwargs` (JSON). Kept as CSV, JSONL
or Parquet, by the ending of its name.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import polars as pl

from jobharness.clock import NS_PER_S
from jobharness.errors import ScenarioInvalid, nearest
from jobharness.history.columns import NEVER
from jobharness.history.event import Kind
from jobharness.history.frame import History
from jobharness.workload.rows import read_rows

__all__ = ["COLUMNS", "OUTCOMES", "Arrival", "arrivals_in", "read_trace", "replayed", "trace_of", "write_trace"]

COLUMNS = ("at_s", "task", "size_bytes", "run_time_s", "outcome", "args", "kwargs")
NOTHING = (None, "")
OUTCOMES = ("finished", "failed", "dead", "unknown")


@dataclass(frozen=True)
class Arrival:
    """One job of a trace. `at_ns` from the first arrival."""

    at_ns: int
    task: str
    run_time_s: float | None = None
    size_bytes: int | None = None
    outcome: str = "unknown"
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)


def read_trace(path: Path) -> list[Arrival]:
    """The arrivals of a trace, in order of time, the first at 0.

    Raises: ScenarioInvalid in one line: unknown or missing columns, a value that is none.
    """
    found = sorted(arrivals_in(path, read_rows(path)), key=lambda one: one.at_ns)
    if not found:
        raise ScenarioInvalid(str(path), "", "is a trace without a job")
    return [replace(one, at_ns=one.at_ns - found[0].at_ns) for one in found]


def arrivals_in(path: Path, rows: Iterable[Mapping[str, Any]]) -> Iterator[Arrival]:
    """The rows of a trace as arrivals, in the rows' own order and time. `path`: what mistakes are reported against."""
    known: set[str] = set()
    for number, row in enumerate(rows, start=1):
        if row.keys() != known:
            _check_columns(path, row)
            known = set(row)
        yield _arrival(path, number, row)


def _check_columns(path: Path, row: Mapping[str, Any]) -> None:
    for name in row:
        if name not in COLUMNS:
            guess = nearest(str(name), COLUMNS)
            hint = f"; did you mean {guess!r}?" if guess else ""
            raise ScenarioInvalid(str(path), str(name), f"a trace has no such column{hint} (known: {', '.join(COLUMNS)})")
    for name in ("at_s", "task"):
        if name not in row:
            raise ScenarioInvalid(str(path), name, "the trace lacks this column")


def _arrival(path: Path, number: int, row: Mapping[str, Any]) -> Arrival:
    try:
        return Arrival(
            at_ns=_moment_ns(row["at_s"]),
            task=_task(row["task"]),
            run_time_s=None if row.get("run_time_s") in NOTHING else _not_negative(float(row["run_time_s"])),
            size_bytes=None if row.get("size_bytes") in NOTHING else int(_not_negative(int(row["size_bytes"]))),
            outcome=_outcome(row.get("outcome") or "unknown"),
            args=_json(row.get("args"), []),
            kwargs=_json(row.get("kwargs"), {}),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ScenarioInvalid(str(path), f"row {number}", f"is no row of a trace: {error}") from error


def _moment_ns(value: Any) -> int:
    """Seconds, or a moment: ISO 8601 (of no zone: UTC), or a column of such."""
    moment = value
    if isinstance(value, str):
        try:
            return round(float(value) * NS_PER_S)
        except ValueError:
            moment = datetime.fromisoformat(value)
    if isinstance(moment, datetime):
        return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * NS_PER_S)
    return round(float(value) * NS_PER_S)


def _task(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"its task is {value!r}, not a name")
    return value


def _not_negative(value: float) -> float:
    if not value >= 0:
        raise ValueError(f"{value} is less than 0")
    return value


def _outcome(value: Any) -> str:
    if value not in OUTCOMES:
        raise ValueError(f"its outcome is {value!r}; known: {', '.join(OUTCOMES)}")
    return str(value)


def _json(value: Any, nothing: Any) -> Any:
    found = json.loads(value) if isinstance(value, str) and value else value or nothing
    if not isinstance(found, type(nothing)):
        raise ValueError(f"{value!r} is not a JSON {'list' if nothing == [] else 'object'}")
    return found


def write_trace(arrivals: Iterable[Arrival], path: Path, *, arguments: bool = False) -> int:
    """Write a trace, its first arrival at 0; returns the number of jobs. All or nothing. `arguments`: with them,
    else stripped.

    Raises: ScenarioInvalid for a name with another ending, or for no job at all.
    """
    ordered = sorted(arrivals, key=lambda one: one.at_ns)
    if not ordered:
        raise ScenarioInvalid(str(path), "", "there is no job to write into it")
    rows = [_row(one, ordered[0].at_ns, arguments) for one in ordered]
    partial = path.with_name(path.name + ".partial")
    if path.suffix == ".parquet":
        pl.DataFrame(rows, infer_schema_length=None).write_parquet(partial)
    elif path.suffix == ".csv":
        pl.DataFrame(rows, infer_schema_length=None).write_csv(partial)
    elif path.suffix in (".jsonl", ".ndjson"):
        partial.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    else:
        raise ScenarioInvalid(str(path), "", "is no name of a trace; it must end in .csv, .jsonl or .parquet")
    partial.replace(path)
    return len(rows)


def _row(one: Arrival, first_ns: int, arguments: bool) -> dict[str, Any]:
    plain = asdict(one)
    row = {"at_s": (one.at_ns - first_ns) / NS_PER_S, **{name: plain[name] for name in COLUMNS[1:5]}}
    return {**row, "args": json.dumps(plain["args"]), "kwargs": json.dumps(plain["kwargs"])} if arguments else row


def replayed(path: Path, speed: float, scale: float, duration_s: float, random: Random) -> Iterator[Arrival]:
    """The arrivals of a trace, `speed` times faster, `scale` of each: its whole part, and one more as often as the
    rest says.

    `duration_s`: what is sent, in the time of the replay; 0 for all.
    """
    whole, rest = divmod(scale, 1)
    for one in read_trace(path):
        at_ns = round(one.at_ns / speed)
        if duration_s and at_ns >= duration_s * NS_PER_S:
            return
        for _ in range(int(whole) + (random.random() < rest)):
            yield Arrival(at_ns, one.task, one.run_time_s, one.size_bytes, one.outcome, one.args, one.kwargs)


def trace_of(history: History) -> list[Arrival]:
    """What a History saw arrive: every job that was enqueued, with the run time of its first execution and what
    became of it."""
    tally, executions = history.tally, history.executions
    run_s = np.full(history.jobs.height, np.nan)
    ended = executions.end_kind > 0
    run_s[executions.job[ended][::-1]] = (executions.end_ns - executions.begin_ns)[ended][::-1] / NS_PER_S
    seen_ns = np.minimum(tally.first_ns(Kind.ENQUEUE_BEGIN), tally.first_ns(Kind.JOB_RECEIVED))
    seen_ns = np.minimum(seen_ns, tally.first_ns(Kind.JOB_RUNNING))
    words = {"finished": Kind.JOB_FINISHED, "dead": Kind.JOB_DEAD, "failed": Kind.JOB_FAILED}
    counts = {word: tally.count(kind) for word, kind in words.items()}
    task = tally.label("task")
    return [
        Arrival(
            at_ns=int(seen_ns[job]),
            task=history.text(int(task[job])),
            run_time_s=None if np.isnan(run_s[job]) else float(run_s[job]),
            outcome=next((word for word, count in counts.items() if count[job]), "unknown"),
        )
        for job in np.flatnonzero((seen_ns != NEVER) & (task > 0))
    ]
