"""Before and after: the run that this one is to be compared with, and the comparison as a page shows it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from pathlib import Path, PurePosixPath

from jobharness.errors import RunUnreadable
from jobharness.metrics.before_after import Change, Comparison, Side, compare
from jobharness.metrics.metric import Metric
from jobharness.report.account import Account, read_json
from jobharness.report.variables import variables_of
from jobharness.report.words import figure

__all__ = ["Before", "Row", "comparison_with", "find_before", "rows_of"]

LABELS = {
    "jobs.lost": "Lost",
    "jobs.stuck": "Stuck",
    "jobs.duplicated": "Run more than once",
    "jobs.dead": "Dead",
    "jobs.refused": "Refused",
    "jobs.unknown": "Outcome unknown",
    "jobs.completed": "Completed",
    "throughput": "Throughput",
    "latency.p50": "Latency, p50",
    "latency.p95": "Latency, p95",
    "latency.p99": "Latency, p99",
    "recovery.max": "Slowest recovery",
    "recovery.never": "Never recovered",
    "backlog.peak": "Peak backlog",
    "attempts.mean": "Executions per job",
}
"""The metrics that a reader asks for first, in this order."""
RECENT = 200
"""Folders looked through for the run before."""


@dataclass(frozen=True)
class Before:
    """The run that this one is compared with, as its own files tell it. `href`: its page, from the page of this one."""

    href: str
    word: str
    side: Side


@dataclass(frozen=True)
class Row:
    """One metric before and after, in words. `before_share`, `after_share`: percent of the larger of the two, for the dots."""

    label: str
    before: str
    after: str
    change: str
    word: str
    before_share: float | None
    after_share: float | None


def find_before(account: Account) -> Before | None:
    """The newest other run, in the same folder of reports, of the scenario that this one names as its `before`; or None."""
    named, source = account.about["scenario"].get("before"), account.about.get("source")
    if not named or not source:
        return None
    wanted = str(PurePosixPath(source).parent / named)
    for folder in _others(account.folder):
        try:
            about = read_json(folder / "run.json")
            if about.get("source") == wanted:
                plain = read_json(folder / "metrics.json")
                side = Side(named, {name: Metric.of(name, one) for name, one in plain.items()}, variables_of(about))
                return Before(f"../{folder.name}/report.html", read_json(folder / "verdict.json")["verdict"], side)
        except (RunUnreadable, KeyError):
            # A folder that was not finished, or that another version wrote, is no run to compare with.
            continue
    return None


def _others(folder: Path) -> Iterator[Path]:
    found = (place for place in folder.parent.iterdir() if place != folder and (place / "run.json").is_file())
    # Folders are named by their moment; one that has another name, such as the sample, is taken where there is no other.
    yield from sorted(found, key=lambda place: (place.name[0].isdigit(), place.name), reverse=True)[:RECENT]


def comparison_with(before: Before, account: Account) -> Comparison:
    """The two runs side by side."""
    return compare(before.side, Side(account.about["scenario"]["title"], account.metrics, variables_of(account.about)))


def rows_of(comparison: Comparison) -> list[Row]:
    """The metrics with a label, those with no value on either side left out."""
    by_name = {change.name: change for change in comparison.changes}
    chosen = [by_name[name] for name in LABELS if name in by_name]
    return [_row(change) for change in chosen if change.before.value is not None or change.after.value is not None]


def _row(change: Change) -> Row:
    before, after, unit = change.before.value, change.after.value, change.after.unit
    top = max(before or 0, after or 0)
    return Row(
        label=LABELS[change.name],
        before=figure(before, unit),
        after=figure(after, unit),
        change=_change(before, after, unit),
        word=change.word,
        before_share=before / top * 100 if before is not None and 0 < top < inf else None,
        after_share=after / top * 100 if after is not None and 0 < top < inf else None,
    )


def _change(before: float | None, after: float | None, unit: str) -> str:
    if before is None or after is None:
        return ""
    if before == after:
        return "same"
    if inf in (before, after):
        return ""
    if unit == "jobs" or not before:
        return f"{'+' if after > before else '−'}{figure(abs(after - before), unit)}"
    share = after / before - 1
    return f"{'+' if share > 0 else '−'}{abs(share):.0%}" if abs(share) < 3 else f"{after / before:,.0f} times"
