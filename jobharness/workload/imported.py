"""Traces from what others recorded: tables with columns of their own, and OpenTelemetry spans."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from jobharness.errors import ScenarioInvalid, nearest
from jobharness.workload.rows import read_rows
from jobharness.workload.spans import spans_trace
from jobharness.workload.trace import COLUMNS, Arrival, arrivals_in

__all__ = ["imported"]


def imported(path: Path, columns: Mapping[str, str]) -> tuple[list[Arrival], list[str]]:
    """The arrivals that a file tells of, and the names of the columns that were left out.

    A table (CSV, JSONL, Parquet) or OTLP JSON, which is told by its content. `columns`: column of a trace -> what the table calls
    it; where some are given, columns that are none of a trace's are left out, and refused otherwise. Raises: ScenarioInvalid.
    """
    if path.suffix.lower() == ".json" or (path.suffix.lower() in (".jsonl", ".ndjson") and _holds_spans(path)):
        return spans_trace(path), []
    for name in columns:
        if name not in COLUMNS:
            guess = nearest(name, COLUMNS)
            hint = f"; did you mean {guess!r}?" if guess else ""
            raise ScenarioInvalid("--column", name, f"a trace has no such column{hint} (known: {', '.join(COLUMNS)})")
    first = next(iter(read_rows(path)), None)
    if first is None:
        raise ScenarioInvalid(str(path), "", "has no rows")
    for theirs in columns.values():
        if theirs not in first:
            raise ScenarioInvalid(str(path), theirs, f"the file has no such column (known: {', '.join(map(str, first))})")
    ours = {theirs: name for name, theirs in columns.items()}
    left_out = [name for name in first if name not in ours and name not in COLUMNS] if columns else []
    rows = ({ours.get(name, name): value for name, value in row.items() if name not in left_out} for row in read_rows(path))
    return list(arrivals_in(path, rows)), left_out


def _holds_spans(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open(encoding="utf-8", errors="replace") as file:
        return '"resourceSpans"' in file.readline()
