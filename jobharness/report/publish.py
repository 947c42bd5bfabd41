"""Writes the files of a run's report beside its history, and keeps the list of runs."""

from __future__ import annotations

import warnings
from html import escape
from pathlib import Path

from jobharness.report.account import Account, of_folder, of_result
from jobharness.report.bug import bug_note
from jobharness.report.crash_page import rebuild_map
from jobharness.report.data import write_breakdown, write_json
from jobharness.report.html import page
from jobharness.report.index import write_index
from jobharness.report.lease_page import page_of_proof
from jobharness.runner.result import Result

__all__ = ["publish", "rebuild"]

PAGE = "report.html"


def publish(result: Result) -> None:
    """Write run.json, verdict.json, metrics.json and report.html into the run's folder, and index.html beside it.

    A page that cannot be drawn is our bug, and no reason to keep a verdict from anybody: it is a warning, and a note where the
    page would be.
    """
    write_json(result)
    try:
        _write_page(of_result(result))
    except Exception as error:
        note = bug_note(error, result.folder)
        (result.folder / PAGE).write_text(f"<!doctype html><meta charset=utf-8><pre>{escape(note)}</pre>", encoding="utf-8")
        warnings.warn(f"the page of this run could not be drawn; its verdict stands. {note}", RuntimeWarning, stacklevel=2)


def rebuild(folder: Path) -> Path:
    """Make the page of a run anew from what its folder holds, also of a run that an older version made; return its path.

    Raises: RunUnreadable, HistoryUnreadable.
    """
    folder = folder.resolve()
    if page_of_trials := rebuild_map(folder) or page_of_proof(folder):
        return page_of_trials
    account = of_folder(folder)
    write_breakdown(folder, account.history)
    return _write_page(account)


def _write_page(account: Account) -> Path:
    path = account.folder / PAGE
    partial = path.with_suffix(".partial")
    partial.write_text(page(account), encoding="utf-8")
    # Whoever looks meanwhile sees the old page or the new one, never half of one.
    partial.replace(path)
    write_index(account.folder.parent)
    return path
