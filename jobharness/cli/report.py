"""`jobharness report`: the page of a run, made anew and opened."""

from __future__ import annotations

import sys
import webbrowser
from pathlib import Path

from jobharness.errors import UnknownName
from jobharness.report.publish import rebuild

__all__ = ["run_folder", "show_report"]


def show_report(run: str, reports: Path, open_it: bool) -> int:
    """Make the page of a run anew and print its path.

    Args: `run`: a folder of a run, its name within `reports`, or the beginning of that name; "last" is the newest one.
    Raises: UnknownName, RunUnreadable, HistoryUnreadable.
    """
    page = rebuild(run_folder(run, reports))
    sys.stdout.write(f"{page}\n")
    if open_it:
        webbrowser.open(page.as_uri())
    return 0


def run_folder(run: str, reports: Path) -> Path:
    """The folder that is meant, see `show_report`. Raises: UnknownName."""
    if (Path(run) / "run.json").is_file() or (Path(run).is_dir() and "/" in run):
        return Path(run)
    known = sorted(path.parent.name for path in reports.glob("*/run.json"))
    if run == "last" and known:
        return max((reports / name for name in known), key=lambda folder: (folder / "run.json").stat().st_mtime)
    fitting = [run] if run in known else [name for name in known if name.startswith(run)]
    if len(fitting) != 1:
        raise UnknownName(f"run in {reports}", run, fitting or known)
    return reports / fitting[0]
