"""Rows of a file of the user's: CSV, JSONL or Parquet, one at a time, again from the top at the end."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from jobharness.errors import ScenarioInvalid

__all__ = ["endless_rows", "read_rows"]


def read_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    """The rows of a file, by the ending of its name. Memory: a row; for Parquet the file.

    Raises: ScenarioInvalid in one line when it is missing, of another kind, or broken.
    """
    reader = {".csv": _csv, ".jsonl": _jsonl, ".ndjson": _jsonl, ".parquet": _parquet}.get(path.suffix.lower())
    if reader is None:
        raise ScenarioInvalid(str(path), "", "is no file of rows; it must end in .csv, .jsonl or .parquet")
    if not path.is_file():
        raise ScenarioInvalid(str(path), "", "there is no such file")
    return reader(path)


def endless_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    """The rows, again and again. Raises: ScenarioInvalid, also when there are none."""
    while True:
        empty = True
        for row in read_rows(path):
            empty = False
            yield row
        if empty:
            raise ScenarioInvalid(str(path), "", "has no rows")


def _csv(path: Path) -> Iterator[Mapping[str, Any]]:
    with path.open(newline="", encoding="utf-8") as file:
        try:
            for number, row in enumerate(csv.DictReader(file, strict=True), start=1):
                if None in row:
                    raise ScenarioInvalid(str(path), f"row {number}", "has more values than there are columns")
                yield row
        except (csv.Error, UnicodeDecodeError) as error:
            raise ScenarioInvalid(str(path), "", f"is not CSV: {error}") from error


def _jsonl(path: Path) -> Iterator[Mapping[str, Any]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise ScenarioInvalid(str(path), f"line {number}", f"is not JSON: {error}") from error
            if not isinstance(row, dict):
                raise ScenarioInvalid(str(path), f"line {number}", "is not a JSON object")
            yield row


def _parquet(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        table = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise ScenarioInvalid(str(path), "", f"is not Parquet: {str(error).splitlines()[0]}") from error
    yield from table.iter_rows(named=True)
