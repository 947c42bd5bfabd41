"""How a trial reads in a terminal: what it comes to, what to doubt, each promise and metric, and where to look."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from jobharness.metrics.metric import Metric
from jobharness.report.terminal import shown_path
from jobharness.report.trial import Trial, causes

__all__ = ["trial_report"]

STYLES = {
    "worse": "bold red", "newly broken": "bold red", "broken on both": "red", "crossed": "bold red",
    "better": "bold green", "mended": "bold green", "holds": "green", "passed": "green",
    "not enough evidence": "yellow", "unknown": "yellow", "not known": "yellow", "no difference": "",
}  # fmt: skip
CODES = {0: "bold green", 1: "bold red", 3: "bold yellow", 4: "bold red", 130: "bold yellow"}
MOST_DIFFERENCES = 12


def trial_report(one: Trial) -> RenderableType:
    """The whole trial, for someone in a hurry."""
    parts: list[RenderableType] = [Text(one.headline, CODES[one.exit_code], overflow="fold")]
    parts.append(Text(f"{one.notes.title}: {one.before.name} -> {one.after.name}", "bold"))
    parts.append(Text(f"  before: {one.before.state}\n  after:  {one.after.state}", overflow="fold"))
    parts += [Text(f"! {warning}", "yellow", overflow="fold") for warning in one.warnings]
    parts += [Text(), _promises(one), Text()] + ([_metrics(one)] if one.judgements else [])
    for crossing in one.crossings:
        parts.append(Text.assemble("gate ", (crossing.word, STYLES[crossing.word]), f": {crossing.sentence}", overflow="fold"))
    parts += [Text(), *_differences(one)]
    if one.files:
        parts += [Text("\n".join(one.files[-12:]), "dim"), Text()]
    if one.folder:
        parts.append(Text.assemble(("Record   ", "bold"), f"{shown_path(one.folder)}/record.md"))
    parts.append(Text.assemble(("Repeat   ", "bold"), one.command, overflow="fold"))
    return Group(*parts)


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        table.add_column(
            heading, overflow="fold", justify="right" if heading in ("before", "after", "could have seen") else "left"
        )
    return table


def _promises(one: Trial) -> RenderableType:
    table = _table("promise", "", "")
    for kept in one.kept:
        table.add_row(kept.promise, Text(kept.word, STYLES[kept.word]), kept.sentence)
    return table


def _metrics(one: Trial) -> RenderableType:
    table = _table("metric", "before", "after", "difference", "", "could have seen")
    for judged in one.judgements:
        values = []
        for value in (judged.before, judged.after):
            mean = judged.unit == "jobs" and not judged.relative
            values.append(f"{value or 0:.3g}" if mean else str(Metric(judged.name, value, judged.unit, 0)))
        word = Text(judged.word, STYLES[judged.word])
        table.add_row(judged.name, *values, judged.difference, word, judged.smallest)
    return table


def _differences(one: Trial) -> Iterator[RenderableType]:
    names = causes(one.differences)
    told = [found for found in one.differences if found.name in names]
    if not told:
        return
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for heading in ("what differs", "before", "after"):
        table.add_column(heading, overflow="fold")
    for found in told[:MOST_DIFFERENCES]:
        table.add_row(*(Text("not set" if value is None else str(value)) for value in (found.name, found.before, found.after)))
    if len(told) > MOST_DIFFERENCES:
        table.add_row(f"… {len(told) - MOST_DIFFERENCES} more, in comparison.json", "", "")
    yield table
    yield Text()
