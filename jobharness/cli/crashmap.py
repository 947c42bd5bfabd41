"""`jobharness crashmap` and `jobharness replay`: what becomes of one job at every crash that its broker can tell apart."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from jobharness.explore.replay import Now
from jobharness.harness import Harness
from jobharness.report.crash_table import advice_report, crash_report, replay_report
from jobharness.report.terminal import show

__all__ = ["advise", "draw_map", "repeat_trial"]

CODES = {"holds": 0, "broken": 1, "unknown": 3, "vacuous": 3}


class _Line:
    """Where the making of a map is, on standard error: one line that is written over on a terminal, nothing elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __call__(self, words: str) -> None:
        if self._console.is_terminal:
            self._console.file.write(f"\r\x1b[2K  {words}")
            self._console.file.flush()

    def clear(self) -> None:
        """Take it away."""
        if self._console.is_terminal:
            self._console.file.write("\r\x1b[2K")


def draw_map(scenario: Path, job: str | None, json_file: Path | None, reports: Path | None, changes: dict[str, Any]) -> int:
    """Make the map and print it; returns the exit code."""
    to_stdout = json_file is not None and str(json_file) == "-"
    line = _Line(Console(stderr=True, highlight=False))
    try:
        chart = Harness(Path.cwd(), reports).crash_map(scenario.absolute(), job, line, **changes)
    finally:
        line.clear()
    show(Console(stderr=to_stdout, highlight=False), crash_report(chart))
    if json_file is not None:
        text = json.dumps(chart.plain(), indent=1, ensure_ascii=False, default=str) + "\n"
        sys.stdout.write(text) if to_stdout else json_file.write_text(text, encoding="utf-8")
    return CODES[chart.verdict]


def advise(scenario: Path, job: str | None, json_file: Path | None, reports: Path | None, changes: dict[str, Any]) -> int:
    """Make the map as it is and with each change that is known, and print what they come to; returns the exit code of the map as
    it is."""
    to_stdout = json_file is not None and str(json_file) == "-"
    line = _Line(Console(stderr=True, highlight=False))
    try:
        found = Harness(Path.cwd(), reports).advise(scenario.absolute(), job, line, **changes)
    finally:
        line.clear()
    show(Console(stderr=to_stdout, highlight=False), advice_report(found))
    if json_file is not None:
        plain = [
            {
                "change": one.name,
                "why_not": one.why_not,
                "turned": one.turned,
                "gone": one.gone,
                "worse": one.worse,
                "duplicates": one.duplicates,
                "jobs_per_s": one.jobs_per_s,
                "map": one.chart.plain() if one.chart is not None else None,
            }
            for one in found
        ]
        text = json.dumps(plain, indent=1, ensure_ascii=False, default=str) + "\n"
        sys.stdout.write(text) if to_stdout else json_file.write_text(text, encoding="utf-8")
    as_it_is = found[0].chart
    return CODES[as_it_is.verdict] if as_it_is is not None else 3


def repeat_trial(trial: Path, reports: Path | None) -> int:
    """Repeat one trial and say what became of it. Returns 0 (fixed, still right), 1 (still broken) or 3 (not reproduced)."""
    console = Console(highlight=False)
    line = _Line(Console(stderr=True, highlight=False))
    try:
        replayed = Harness(Path.cwd(), reports).replay(trial, line)
    finally:
        line.clear()
    show(console, replay_report(replayed) if replayed.outcomes else Text("nothing was tried"))
    return {Now.STILL_BROKEN: 1, Now.NOT_REPRODUCED: 3}.get(replayed.now, 0)
