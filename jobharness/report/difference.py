"""Before and after: two runs side by side, and everything in which they differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from jobharness.errors import RunUnreadable
from jobharness.report.account import Account, read_json
from jobharness.report.words import figure

__all__ = ["Before", "Difference", "Variable", "differences", "find_before", "variables"]

SHOWN = {
    "jobs.lost": "Lost",
    "jobs.stuck": "Stuck",
    "jobs.duplicated": "Run more than once",
    "jobs.dead": "Dead",
    "jobs.completed": "Completed",
    "throughput": "Throughput",
    "latency.p50": "Latency, p50",
    "latency.p95": "Latency, p95",
    "latency.p99": "Latency, p99",
    "recovery.max": "Slowest recovery",
    "backlog.peak": "Peak backlog",
    "attempts.mean": "Executions per job",
}
RECENT = 200
"""Folders looked through for the run before."""


@dataclass(frozen=True)
class Before:
    """The run that this one is compared with, as its own files tell it."""

    run: str
    href: str
    about: Mapping[str, Any]
    metrics: Mapping[str, Mapping[str, Any]]
    word: str


@dataclass(frozen=True)
class Difference:
    """One metric before and after. `before_share`, `after_share`: percent of the larger of the two, for the dots.

    `word`: better or worse, where it is a count of jobs that was expected to be the same for the same seed; "" for a timing, of which a single
    run a side cannot tell.
    """

    label: str
    before: str
    after: str
    change: str
    word: str
    before_share: float | None
    after_share: float | None


@dataclass(frozen=True)
class Variable:
    """Something that is not the same in both runs; "–" where one of them does not have it."""

    name: str
    before: str
    after: str


def find_before(account: Account) -> Before | None:
    """The newest other run, in the same folder of reports, of the scenario that this one names as its `before`; None where there is none."""
    named, source = account.about["scenario"].get("before"), account.about.get("source")
    if not named or not source:
        return None
    wanted = PurePosixPath(source).parent / named
    for folder in _others(account.folder):
        try:
            about = read_json(folder / "run.json")
            if about.get("source") == str(wanted):
                word = read_json(folder / "verdict.json")["verdict"]
                return Before(about["run"], f"../{folder.name}/report.html", about, read_json(folder / "metrics.json"), word)
        except (RunUnreadable, KeyError):
            continue
    return None


def _others(folder: Path) -> Iterator[Path]:
    found = (place for place in folder.parent.iterdir() if place != folder and (place / "run.json").is_file())
    # Folders are named by their moment.
    yield from sorted(found, key=lambda place: place.name, reverse=True)[:RECENT]


def differences(before: Before, account: Account) -> list[Difference]:
    """The metrics that a reader asks for first, those with no value on either side left out."""
    rows = []
    for name, label in SHOWN.items():
        metric, old = account.metrics.get(name), before.metrics.get(name, {})
        if metric is None or (metric.value is None and old.get("value") is None):
            continue
        rows.append(_difference(label, old.get("value"), metric.value, metric.unit, metric.better))
    return rows


def _difference(label: str, before: float | None, after: float | None, unit: str, better: str) -> Difference:
    top = max(before or 0, after or 0)
    change, word = "", ""
    if before is not None and after is not None:
        change = _change(before, after, unit)
        if unit == "jobs" and better != "neither" and before != after:
            word = "better" if (after < before) is (better == "lower") else "worse"
    return Difference(
        label=label,
        before=figure(before, unit),
        after=figure(after, unit),
        change=change,
        word=word,
        before_share=before / top * 100 if before is not None and top else None,
        after_share=after / top * 100 if after is not None and top else None,
    )


def _change(before: float, after: float, unit: str) -> str:
    if before == after:
        return "same"
    if unit == "jobs" or not before:
        return f"{'+' if after > before else '−'}{figure(abs(after - before), unit)}"
    share = (after - before) / before
    return f"{'+' if share > 0 else '−'}{abs(share):.0%}" if abs(share) < 3 else f"{after / before:.1f} times"


LABELS = ("title", "owner", "expected", "rollback", "known_gap", "before", "tags")
"""Keys of a scenario that change nothing in a run."""


def variables(before: Before, account: Account) -> list[Variable]:
    """Everything that differs between the two runs and may be a cause: scenario, live settings, versions, machine, commit."""
    old, new = dict(_flat(_causes(before.about))), dict(_flat(_causes(account.about)))
    names = [*old, *(name for name in new if name not in old)]
    return [Variable(name, old.get(name, "–"), new.get(name, "–")) for name in names if old.get(name) != new.get(name)]


def _causes(about: Mapping[str, Any]) -> dict[str, Any]:
    scenario = {key: value for key, value in about["scenario"].items() if key not in LABELS}
    app = about.get("app") or {}
    # Addresses of servers that the run started itself differ by their port alone.
    live = {key: value for key, value in app.get("settings", {}).items() if "://127.0.0.1" not in str(value)}
    keep = ("seed", "broker", "git", "versions", "machine")
    return {"scenario": scenario, "live": live, **{key: about.get(key) for key in keep}}


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list) and value and isinstance(value[0], Mapping):
        for index, inner in enumerate(value, start=1):
            yield from _flat(inner, f"{name}[{index}]")
    elif value not in ({}, [], (), None):
        yield name, str(value)
