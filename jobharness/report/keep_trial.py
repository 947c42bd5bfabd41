"""Writes a trial into its folder: comparison.json for programs, record.md and report.html for people."""

from __future__ import annotations

import json
from pathlib import Path

from jobharness.errors import ReportsNotWritable
from jobharness.report.index import write_index
from jobharness.report.record import record
from jobharness.report.trial import Trial, plain

__all__ = ["keep_trial", "write_text"]


def keep_trial(one: Trial) -> None:
    """Write them. Raises: ReportsNotWritable."""
    from jobharness.report.trial_page import trial_page  # Plotly takes a moment to load.

    folder = Path(one.folder)
    write_text(folder / "comparison.json", json.dumps(plain(one), indent=1, default=str, ensure_ascii=False) + "\n")
    write_text(folder / "record.md", record(one))
    write_text(folder / "report.html", trial_page(one))
    write_index(folder.parent)


def write_text(path: Path, text: str) -> None:
    """Write a file. Raises: ReportsNotWritable."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ReportsNotWritable(str(path), error.strerror or str(error)) from error
