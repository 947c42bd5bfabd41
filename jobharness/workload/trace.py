"""A trace: what arrived at a running system, to be replayed.

One row a job: `at_s` (from the first arrival), `task`, and where known `size_bytes`, `run_time_s`, `outcome`
("finished", "failed", "dead" or "unknown"), `args` and `kwargs` (JSON). Kept as CSV, JSONL or Parquet, by the ending
of its name.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
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

__all__ = ["Arrival", "read_trace", "replayed", "spans_trace", "trace_of", "write_trace"]

COLUMNS = ("at_s", "task", "size_bytes", "run_time_s", "outcome", "args", "kwargs")
PRODUCER, CONSUMER = (4, "SPAN_KIND_PRODUCER"), (5, "SPAN_KIND_CONSUMER")
ERROR = (2, "STATUS_CODE_ERROR")


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
    """The arrivals of a trace, in order of time.

    Raises: ScenarioInvalid in one line: unknown or missing columns, a value that is none.
    """
    found = []
    for number, row in enumerate(read_rows(path), start=1):
        if number == 1:
            _check_columns(path, row)
        found.append(_arrival(path, number, row))
    if not found:
        raise ScenarioInvalid(str(path), "", "is a trace without a job")
    return sorted(found, key=lambda one: one.at_ns)


def _check_columns(path: Path, row: Mapping[str, Any]) -> None:
    for name in row:
        if name not in COLUMNS:
            guess = nearest(name, COLUMNS)
            hint = f"; did you mean {guess!r}?" if guess else ""
            raise ScenarioInvalid(str(path), str(name), f"a trace has no such column{hint} (known: {', '.join(COLUMNS)})")
    for name in ("at_s", "task"):
        if name not in row:
            raise ScenarioInvalid(str(path), name, "the trace lacks this column")


def _arrival(path: Path, number: int, row: Mapping[str, Any]) -> Arrival:
    try:
        return Arrival(
            at_ns=round(float(row["at_s"]) * NS_PER_S),
            task=str(row["task"]),
            run_time_s=float(row["run_time_s"]) if row.get("run_time_s") not in (None, "") else None,
            size_bytes=int(row["size_bytes"]) if row.get("size_bytes") not in (None, "") else None,
            outcome=str(row.get("outcome") or "unknown"),
            args=_json(row.get("args"), []),
            kwargs=_json(row.get("kwargs"), {}),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ScenarioInvalid(str(path), f"row {number}", f"is no row of a trace: {error}") from error


def _json(value: Any, nothing: Any) -> Any:
    return json.loads(value) if isinstance(value, str) and value else value or nothing


def write_trace(arrivals: Iterable[Arrival], path: Path, *, arguments: bool = False) -> int:
    """Write a trace, its first arrival at 0; returns the number of jobs. All or nothing. `arguments`: with them,
    else stripped."""
    ordered = sorted(arrivals, key=lambda one: one.at_ns)
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


def spans_trace(path: Path) -> list[Arrival]:
    """The arrivals in OpenTelemetry spans as OTLP JSON: a file of one document, or of one a line.

    A producer span is an arrival; the consumer span that has it as its parent, or links to it, gives run time and
    outcome. A consumer span without a producer is an arrival of its own. Raises: ScenarioInvalid.
    """
    try:
        text = path.read_text(encoding="utf-8")
        lines = [line for line in text.splitlines() if line.strip()]
        one_each = len(lines) > 1 and all(line.startswith("{") and line.rstrip().endswith("}") for line in lines)
        documents = [json.loads(line) for line in lines] if one_each else [json.loads(text)]
        spans = [span for document in documents for span in _spans(document)]
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise ScenarioInvalid(str(path), "", f"is not OTLP JSON: {error}") from error
    sent = {span["spanId"]: span for span in spans if span.get("kind") in PRODUCER}
    consumed = {_cause(span): span for span in spans if span.get("kind") in CONSUMER}
    found = [_of_span(span, consumed.get(number)) for number, span in sent.items()]
    found += [_of_span(span, span) for cause, span in consumed.items() if cause not in sent]
    if not found:
        raise ScenarioInvalid(str(path), "", "has no producer or consumer span")
    return sorted(found, key=lambda one: one.at_ns)


def _spans(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for resource in document.get("resourceSpans", ()):
        for scope in resource.get("scopeSpans", ()):
            yield from scope.get("spans", ())


def _cause(span: Mapping[str, Any]) -> str:
    links = [link["spanId"] for link in span.get("links", ())]
    return str(links[0] if links else span.get("parentSpanId") or span["spanId"])


def _of_span(span: Mapping[str, Any], work: Mapping[str, Any] | None) -> Arrival:
    attributes = {one["key"]: next(iter(one["value"].values()), None) for one in span.get("attributes", ())}
    named = (attributes.get(key) for key in ("celery.task_name", "messaging.message.task", "messaging.destination.name"))
    size = attributes.get("messaging.message.body.size")
    run_ns = int(work["endTimeUnixNano"]) - int(work["startTimeUnixNano"]) if work else None
    outcome = "unknown" if work is None else "failed" if work.get("status", {}).get("code") in ERROR else "finished"
    return Arrival(
        at_ns=int(span["startTimeUnixNano"]),
        task=str(next((name for name in named if name), span["name"])),
        run_time_s=run_ns / NS_PER_S if run_ns is not None else None,
        size_bytes=int(size) if size is not None else None,
        outcome=outcome,
    )
