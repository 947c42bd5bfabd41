"""`reports/index.html`: every run in a folder of reports, by scenario, with what became of it over time.

Its trends are small lines of SVG and not Plotly's: they stand beside their figures in a list of links that is written anew after
every run, and need neither axes nor a script of two megabytes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobharness.errors import RunUnreadable
from jobharness.report.account import read_json
from jobharness.report.html import render
from jobharness.report.words import figure, sentence

__all__ = ["Compared", "Entry", "Trend", "compared", "entries", "trend", "write_entry", "write_index"]

MOST_RUNS = 300
"""The newest ones; older folders are left alone and not listed."""
MOST_IN_TREND = 40
MOST_COMPARED = 50
WIDTH, HEIGHT = 1000.0, 100.0
"""The box that a trend is drawn in; the page stretches it."""
TRENDS = (
    ("Lost or stuck", ("jobs.lost", "jobs.stuck"), "jobs"),
    ("Latency p95", ("latency.p95",), "s"),
    ("Throughput", ("throughput",), "1/s"),
)


@dataclass(frozen=True)
class Entry:
    """One run in the list, as its own files tell it. `scenario`: the scenario's file, or its title where it has none."""

    folder: str
    scenario: str
    title: str
    finished_at: str
    seed: int
    commit: str
    word: str
    sentence: str
    values: dict[str, float | None]

    @property
    def lost(self) -> float:
        """Jobs lost or stuck."""
        return (self.values.get("jobs.lost") or 0) + (self.values.get("jobs.stuck") or 0)

    @property
    def p95(self) -> str:
        """The 95th percentile of the end-to-end latency, for people."""
        return figure(self.values.get("latency.p95"), "s")


@dataclass(frozen=True)
class Trend:
    """One figure over the runs of a scenario, the oldest first: a line with a dot for each run, in a box of 1000 by 100."""

    label: str
    latest: str
    line: str
    dots: str


def write_entry(folder: Path, about: Mapping[str, Any], word: str, contract: str, sentence: str) -> None:
    """Write into a folder what the list reads of it, where it holds something that is no run and has one promise alone."""
    findings = [{"word": word, "contract": contract, "sentence": sentence}]
    files = {"run": dict(about), "verdict": {"verdict": word, "findings": findings, "gate": []}, "metrics": {}}
    for name, plain in files.items():
        text = json.dumps(plain, indent=1, ensure_ascii=False, default=str)
        (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def write_index(reports: Path) -> Path:
    """Write the list of the runs in `reports` and return its path. Safe to call from several processes: the last one wins."""
    scenarios: dict[str, list[Entry]] = {}
    for entry in entries(reports):
        scenarios.setdefault(entry.scenario, []).append(entry)
    groups = [
        {
            "scenario": name,
            "latest": runs[0],
            "runs": runs,
            "trends": [trend(runs, label, names, unit) for label, names, unit in TRENDS],
        }
        for name, runs in scenarios.items()
    ]
    path = reports / "index.html"
    partial = reports / f"index.{os.getpid()}.partial"
    page = render("index.html.j2", groups=groups, compared=compared(reports), most=MOST_RUNS, in_trend=MOST_IN_TREND)
    partial.write_text(page, encoding="utf-8")
    partial.replace(path)
    return path


@dataclass(frozen=True)
class Compared:
    """One comparison in the list, as its own file tells it."""

    folder: str
    title: str
    before: str
    after: str
    headline: str
    word: str


def compared(reports: Path) -> list[Compared]:
    """The comparisons of a folder, the newest first; what is none is passed over."""
    found = []
    folders = sorted((path.parent for path in reports.glob("*/comparison.json")), key=lambda folder: folder.name, reverse=True)
    for folder in folders[:MOST_COMPARED]:
        try:
            told = read_json(folder / "comparison.json")
            word = {0: "holds", 3: "unknown", 130: "unknown"}.get(told["exit_code"], "broken")
            before, after = told["before"]["name"], told["after"]["name"]
            found.append(Compared(folder.name, told["notes"]["title"], before, after, told["headline"], word))
        except (RunUnreadable, KeyError, TypeError, AttributeError):
            continue
    return found


def entries(reports: Path) -> list[Entry]:
    """The runs of a folder, the newest first; what is no finished run is passed over."""
    found = []
    folders = sorted((path.parent for path in reports.glob("*/run.json")), key=lambda folder: folder.name, reverse=True)
    for folder in folders[:MOST_RUNS]:
        try:
            found.append(_entry(folder))
        except (RunUnreadable, KeyError, TypeError, AttributeError):
            # A run that is being written, or that another version wrote: it is not worth the whole list.
            continue
    return sorted(found, key=lambda entry: entry.finished_at, reverse=True)


def _entry(folder: Path) -> Entry:
    about, verdict, metrics = (read_json(folder / f"{name}.json") for name in ("run", "verdict", "metrics"))
    scenario: dict[str, Any] = about["scenario"]
    findings = verdict["findings"]
    crossed = [one["sentence"] for one in verdict.get("gate", []) if one["word"] != "passed"]
    reasons = [finding["sentence"] for finding in findings if finding["word"] == verdict["verdict"]]
    held = verdict["verdict"] == "holds"
    return Entry(
        folder=folder.name,
        scenario=about.get("source") or scenario["title"],
        title=scenario["title"],
        finished_at=about["finished_at"],
        seed=about["seed"],
        commit=(about.get("git") or {}).get("commit", "")[:8],
        word=verdict["verdict"],
        sentence=sentence(crossed[0] if held and crossed else "" if held or not reasons else reasons[0].splitlines()[0]),
        values={name: one["value"] for name, one in metrics.items()},
    )


def trend(runs: Sequence[Entry], label: str, names: Sequence[str], unit: str) -> Trend:
    """The sum of some metrics over runs that are given newest first; a run without a value leaves a gap."""
    recent = list(reversed(runs[:MOST_IN_TREND]))
    values = [_sum([run.values.get(name) for name in names]) for run in recent]
    known = [value for value in values if value is not None]
    top = max(known, default=0) or 1
    step = WIDTH / max(1, len(values) - 1)
    points = [
        None if value is None else (WIDTH / 2 if len(values) == 1 else index * step, HEIGHT - value / top * HEIGHT)
        for index, value in enumerate(values)
    ]
    line, pen_is_up = "", True
    for point in points:
        if point is not None:
            line += f"{'M' if pen_is_up else 'L'}{point[0]:.1f} {point[1]:.1f}"
        pen_is_up = point is None
    return Trend(
        label=label,
        latest=figure(values[-1] if values else None, unit),
        line=line,
        dots="".join(f"M{point[0]:.1f} {point[1]:.1f}h0" for point in points if point is not None),
    )


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
