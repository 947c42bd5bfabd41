"""The page of a crash map, and its entry in the list of runs."""

from __future__ import annotations

from pathlib import Path

from jobharness.explore.chart import FILE, CrashMap, Tried
from jobharness.report.crash_table import COLUMNS, VICTIMS, headline, rows, subject
from jobharness.report.html import render
from jobharness.report.index import write_entry, write_index

__all__ = ["HEADS", "publish_map", "rebuild_map"]

PAGE = "report.html"
HEADS = {
    "before": "killed before it leaves",
    "after": "killed when it has arrived, its reply on its way",
    "reply lost": "its reply lost, the worker lives",
    "message lost": "it is lost, the worker lives",
}
MOST_LINES = 400


def publish_map(chart: CrashMap) -> Path:
    """Write crashmap.json, what the list of runs reads, and report.html; returns the page's path."""
    chart.save()
    write_entry(chart.folder, chart.about, chart.verdict, "crash map", headline(chart))
    return _write(chart)


def rebuild_map(folder: Path) -> Path | None:
    """Make the page of a map anew; None where the folder holds none. Raises: RunUnreadable."""
    return _write(CrashMap.load(folder)) if (folder / FILE).exists() else None


def _write(chart: CrashMap) -> Path:
    path = chart.folder / PAGE
    strip = [
        {
            "number": number + 1,
            "label": label,
            "who": VICTIMS[victim],
            "words": chart.steps[number].words if victim == "tree" else "",
            "cells": [[_cell(chart, tried) for tried in cells[kind]] for kind in COLUMNS],
        }
        for number, label, victim, cells in rows(chart)
    ]
    page = render(
        "crashmap.html.j2",
        chart=chart,
        headline=headline(chart),
        subject=subject(chart),
        heads=[HEADS[kind] for kind in COLUMNS],
        strip=strip,
        points=[_cell(chart, tried) for tried in chart.tried],
    )
    path.write_text(page, encoding="utf-8")
    write_index(chart.folder.parent)
    return path


def _cell(chart: CrashMap, tried: Tried) -> dict[str, object]:
    number = tried.telling
    transcript = chart.folder / "trials" / str(number) / "transcript.txt"
    lines = transcript.read_text(encoding="utf-8").splitlines() if transcript.exists() else []
    return {
        "id": f"trial-{number}",
        "text": tried.text,
        "word": str(tried.worst.word),
        "right": chart.allows(tried),
        "wrong": tried.wrong,
        "sentence": tried.point.sentence() + (f"; then {tried.second.sentence()}" if tried.second is not None else ""),
        "then": tried.second is not None,
        "where": tried.worst.where,
        "back_s": tried.worst.back_s,
        "nudged": tried.worst.nudged,
        "trial": f"trials/{number}.json",
        "transcript": "\n".join(lines[:MOST_LINES]) + (f"\n… {len(lines) - MOST_LINES} more" if len(lines) > MOST_LINES else ""),
    }
