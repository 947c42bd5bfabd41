"""A comparison as one HTML page: self-contained, opens from disk, needs no network. Jinja2 makes it, Plotly draws it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jobharness
from jobharness.metrics.judgement import Judgement
from jobharness.report.drawing import drawing_of
from jobharness.report.html import render
from jobharness.report.record import assumptions
from jobharness.report.trial import Trial, TrialSide
from jobharness.report.trial_plots import dot_plot, run_plots
from jobharness.report.words import count, figure

__all__ = ["trial_page"]

OUTCOMES = {
    0: ("passed", "holds"),
    1: ("a promise is broken", "broken"),
    3: ("no verdict", "unknown"),
    4: ("the gate is crossed", "broken"),
    130: ("interrupted", "unknown"),
}
TONES = {
    "newly broken": "broken", "broken on both": "broken", "mended": "holds", "holds": "holds", "not known": "unknown",
    "crossed": "broken", "passed": "holds", "unknown": "unknown",
}  # fmt: skip


def trial_page(one: Trial) -> str:
    """The whole page."""
    said, tone = OUTCOMES[one.exit_code]
    dots, plots = dot_plot(one.judgements), run_plots(one)
    for number, plot in enumerate(plots, start=1):
        plot["id"] = f"runs-{number}"
    figures = {**({"dots": dots} if dots is not None else {}), **{plot["id"]: plot["figure"] for plot in plots}}
    return render(
        "trial.html.j2",
        trial=one,
        name=Path(one.folder).name,
        said=said,
        tone=tone,
        word=tone,
        tones=TONES,
        facts=_facts(one),
        notes=list(_notes(one)),
        dots=dots is not None,
        rows=[_row(judged) for judged in one.judgements],
        plots=plots,
        runs=[*_runs(one, "before", one.before), *_runs(one, "after", one.after)],
        assumptions=assumptions(one),
        drawing=drawing_of(figures),
        version=jobharness.__version__,
    )


def _facts(one: Trial) -> list[str]:
    if one.paired:
        return [count(len(one.before.runs), "pair") + " of runs, a coin decided which went first", "same seed in each pair"]
    return [f"{len(one.before.runs)} runs before, {len(one.after.runs)} after", "not run in turns"]


def _notes(one: Trial) -> Iterator[tuple[str, str]]:
    notes = one.notes
    for label, value in (
        ("Reason", notes.reason),
        ("Owner", notes.owner),
        ("Expected", notes.expected),
        ("Rollback", notes.rollback),
        ("Before", one.before.state),
        ("After", one.after.state),
    ):
        yield label, value or "not given"


def _row(one: Judgement) -> dict[str, Any]:
    return {
        "name": one.name,
        "before": figure(one.before, one.unit),
        "after": figure(one.after, one.unit),
        "difference": one.difference,
        "word": one.word,
        "note": one.sentence if one.word == "not enough evidence" else "",
        "smallest": one.smallest,
    }


def _runs(one: Trial, word: str, side: TrialSide) -> Iterator[dict[str, Any]]:
    for run in side.runs:
        page = Path(run.folder) / "report.html"
        there = bool(run.folder) and bool(one.folder) and page.is_file()
        yield {
            "side": word,
            "name": Path(run.folder).name,
            "page": Path(os.path.relpath(page, one.folder)).as_posix() if there else "",
            "verdict": run.verdict,
            "seed": run.seed,
        }
