"""`jobharness crashmap` and `jobharness replay`: what becomes of one job at every crash that its broker can tell apart."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType
from rich.text import Text

from jobharness.explore.replay import Now
from jobharness.harness import Harness
from jobharness.report.crash_table import advice_report, crash_report, replay_report
from jobharness.report.terminal import show

__all__ = ["CODES", "advise", "draw_map", "hand_out", "line", "repeat_trial"]

CODES = {"holds": 0, "broken": 1, "unknown": 3, "vacuous": 3}


@contextmanager
def line() -> Iterator[Callable[[str], None]]:
    """Says where the making of a map is, on standard error: one line that is written over on a terminal, and taken away at the
    end; nothing elsewhere."""
    console = Console(stderr=True, highlight=False)

    def say(words: str) -> None:
        if console.is_terminal:
            console.file.write(f"\r\x1b[2K{words}")
            console.file.flush()

    try:
        yield lambda words: say(f"  {words}")
    finally:
        say("")


def hand_out(shown: RenderableType, plain: Any, json_file: Path | None) -> None:
    """Print for people, on standard error where the JSON goes to standard output, and write the JSON."""
    to_stdout = json_file is not None and str(json_file) == "-"
    show(Console(stderr=to_stdout, highlight=False), shown)
    if json_file is not None:
        text = json.dumps(plain, indent=1, ensure_ascii=False, default=str) + "\n"
        sys.stdout.write(text) if to_stdout else json_file.write_text(text, encoding="utf-8")


def draw_map(scenario: Path, job: str | None, json_file: Path | None, reports: Path | None, changes: dict[str, Any]) -> int:
    """Make the map and print it; returns the exit code."""
    with line() as tell:
        chart = Harness(Path.cwd(), reports).crash_map(scenario.absolute(), job, tell, **changes)
    hand_out(crash_report(chart), chart.plain(), json_file)
    return CODES[chart.verdict]


def advise(scenario: Path, job: str | None, json_file: Path | None, reports: Path | None, changes: dict[str, Any]) -> int:
    """Make the map as it is and with each change that is known, and print what they come to; returns the exit code of the map as
    it is."""
    with line() as tell:
        found = Harness(Path.cwd(), reports).advise(scenario.absolute(), job, tell, **changes)
    hand_out(advice_report(found), [one.plain() for one in found], json_file)
    as_it_is = found[0].chart
    return CODES[as_it_is.verdict] if as_it_is is not None else 3


def repeat_trial(trial: Path, reports: Path | None) -> int:
    """Repeat one trial and say what became of it. Returns 0 (fixed, still right), 1 (still broken) or 3 (not reproduced)."""
    console = Console(highlight=False)
    with line() as tell:
        replayed = Harness(Path.cwd(), reports).replay(trial, tell)
    show(console, replay_report(replayed) if replayed.outcomes else Text("nothing was tried"))
    return {Now.STILL_BROKEN: 1, Now.NOT_REPRODUCED: 3}.get(replayed.now, 0)
