"""How a finished run reads in a terminal: the verdict in a sentence, what held, the worst offenders' lives, where to look, how to
repeat it.

Everything here is made of `Text` and `Table`, never of rich's markup: a scenario's own words may hold square brackets.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from jobharness.contracts.contract import Finding, Verdict, Word
from jobharness.history.frame import History
from jobharness.metrics.before_after import Change, Comparison
from jobharness.metrics.metric import Metric
from jobharness.metrics.schedule import off_schedule
from jobharness.report.digest import Digest, digest
from jobharness.report.nodes import COLUMNS, node_rows
from jobharness.runner.result import Result, story

__all__ = ["as_text", "before_after_table", "findings_table", "nodes_table", "run_report", "show", "shown_path", "summary_table"]

WIDE = 120
MOST_STORIES = 3
MOST_EVENTS = 14
STYLES = {"broken": "bold red", "unknown": "bold yellow", "vacuous": "bold yellow", "holds": "bold green", "crossed": "bold red"}
WHY_NO_PASS = {
    "unknown": "The run could not see enough, so this is not a pass.",
    "vacuous": "A fault that hit nothing proves nothing, so this is not a pass.",
}
PARTS = (
    ("jobs", ("acknowledged", "completed", "lost", "stuck", "duplicated", "dead")),
    ("latency", ("p50", "p95", "p99")),
    ("wait", ("p50", "p95", "p99")),
    ("run_time", ("p50", "p95", "p99")),
    ("recovery", ("p50", "max")),
)


def as_text(renderable: RenderableType, width: int = WIDE, colour: bool = False) -> str:
    """A renderable as a string, for writers that are not rich's. Lines carry no spaces at their ends."""
    console = Console(
        file=io.StringIO(), width=width, force_terminal=colour, color_system="standard" if colour else None, legacy_windows=False
    )
    console.print(renderable)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]  # the StringIO given above
    return "\n".join(line.rstrip() for line in text.splitlines())


def show(console: Console, renderable: RenderableType) -> None:
    """Print on a console: as wide as a terminal is, and 120 columns where the output is a file or a pipe."""
    width = console.width if console.is_terminal else WIDE
    console.file.write(as_text(renderable, width, console.color_system is not None) + "\n")


def shown_path(path: Path | str) -> str:
    """A path as a person in this folder would write it."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


def run_report(result: Result) -> RenderableType:
    """A finished run, for someone in a hurry."""
    short = digest(result)
    parts: list[RenderableType] = [_headline(short), Text(), _findings(result)]
    if stories := list(_stories(result)):
        parts += [Text(), *stories]
    if node_rows(result.history):
        parts += [Text(), nodes_table(result.history)]
    parts += [Text(), _metrics(short), Text(), _ways_on(short)]
    return Group(*parts)


def nodes_table(history: History) -> Table:
    """The nodes that told a merged history: how far their clocks are known, what they told, and which of them vanished."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name, justify in COLUMNS.items():
        table.add_column(name, justify="right" if justify == "right" else "left", no_wrap=True)
    for node in node_rows(history):
        table.add_row(*(Text(cell, STYLES["unknown"] if cell == "vanished" else "") for cell in node))
    return table


def _headline(run: Digest) -> RenderableType:
    word, sentence = ("crossed", run.sentence) if run.exit_code == 4 else (run.verdict, run.sentence)
    shown = "GATE CROSSED" if word == "crossed" else word.upper()
    if run.exit_code == 0:
        sentence = "everything that was promised held"
    lines = [Text.assemble((f"{shown}: ", STYLES[word]), (_ended(sentence), "bold"))]
    if word in WHY_NO_PASS:
        lines.append(Text(WHY_NO_PASS[word]))
    place = f"{shown_path(run.source)}, seed {run.seed}" if run.source else f"seed {run.seed}"
    lines.append(Text.assemble(run.title, (f"  ({place})", "dim")))
    if run.known_gap:
        lines.append(Text(f"Known gap: {run.known_gap}", "dim"))
    return Group(*lines)


def _ended(sentence: str) -> str:
    return sentence if sentence.endswith((".", "\n")) else f"{sentence}."


def _findings(result: Result) -> Table:
    grid = findings_table(result.verdict)
    for crossing in result.crossings:
        style = {"passed": "holds", "crossed": "crossed", "unknown": "unknown"}[crossing.word]
        grid.add_row(Text(crossing.word, STYLES[style]), Text("gate"), Text(crossing.sentence))
    return grid


def findings_table(verdict: Verdict) -> Table:
    """Word, contract and sentence of each finding, the gravest first."""
    grid = _grid()
    for finding in verdict.findings:
        word = str(finding.word)
        grid.add_row(Text(word, STYLES[word]), Text(finding.contract), Text(finding.sentence.strip()))
        for why in _of_no_job(finding):
            grid.add_row("", "", Text(why, "dim"))
    return grid


def _of_no_job(finding: Finding) -> list[str]:
    """What the worst offences say that are no job's, such as a worker's, and that therefore have no life to be shown."""
    if finding.word is not Word.BROKEN:
        return []
    told = finding.offenders.filter(finding.offenders["job"].is_null())["why"].head(MOST_STORIES)
    return [why for why in told if why not in finding.sentence]


def _grid() -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    return grid


def _stories(result: Result) -> Iterator[RenderableType]:
    """The lives of a few offenders: of each kind of offence the worst, then the next worst."""
    chosen = _worst(result.verdict.findings)
    if not chosen:
        return
    yield Text("What became of the worst of them (seconds since each was enqueued):", "bold")
    for job, why in chosen:
        name, *moments = story(result.history, job)
        yield Text()
        yield Text.assemble(("  " + why, "red"))
        yield Text("  " + name)
        if len(moments) > MOST_EVENTS:
            left_out = len(moments) - MOST_EVENTS
            moments = [*moments[: MOST_EVENTS - 4], f"  … {left_out} more events …", *moments[-4:]]
        for moment in moments:
            yield Text("  " + moment, overflow="fold")


def _worst(findings: Sequence[Finding]) -> list[tuple[int, str]]:
    """`(job, why)`, each job once; the why says how many jobs of its finding share it."""
    first: list[tuple[int, str]] = []
    rest: list[tuple[int, str]] = []
    seen: set[int] = set()
    for finding in findings:
        if finding.word is not Word.BROKEN:
            continue
        offenders = finding.offenders.filter(finding.offenders["job"].is_not_null())
        shares = dict(offenders["why"].value_counts().iter_rows())
        told: set[str] = set()
        for job, _, why in offenders.iter_rows():
            if job in seen:
                continue
            seen.add(job)
            others = f"  (and {_counted(shares[why] - 1, 'more job')})" if shares[why] > 1 and why not in told else ""
            (rest if why in told else first).append((job, why + others))
            told.add(why)
    return [*first, *rest][:MOST_STORIES]


def _counted(number: float | None, noun: str) -> str:
    return f"{number or 0:.0f} {noun}" + ("" if number == 1 else "s")


def _metrics(run: Digest) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for noun, details in PARTS:
        values = [(detail, run.metric(f"{noun}.{detail}")) for detail in details]
        if any(metric.value is not None for _, metric in values):
            unit = noun != "jobs"
            shown = [f"{detail} {metric}" if unit else f"{metric} {detail}" for detail, metric in values]
            rests_on = f"   (of {_counted(values[0][1].count, 'job')} hit)" if noun == "recovery" else ""
            grid.add_row(Text(noun.replace("_", " ")), Text(("   " if unit else ", ").join(shown) + rests_on))
    strikes, hit = run.metric("faults.strikes"), run.metric("faults.jobs_hit")
    if strikes.value:
        counts = f"{_counted(strikes.value, 'strike')}, {_counted(hit.value, 'job')} in flight where they struck"
        grid.add_row(Text("faults"), Text(counts))
    grid.add_row(
        Text("queue"),
        Text(f"throughput {run.metric('throughput')}   backlog peak {run.metric('backlog.peak')}   drain {run.metric('drain')}"),
    )
    refused, unknown = run.metric("jobs.refused"), run.metric("jobs.unknown")
    if refused.value or unknown.value:
        grid.add_row(Text("not sent", "bold"), Text(f"{refused} refused, {unknown} of unknown outcome, of {refused.count} sends"))
    late = run.metric("producer.late")
    if late.value:
        sentence = f"{late} of {late.count} sends began more than 1 ms late, at most {run.metric('producer.lateness.max')}"
        grid.add_row(Text("producer"), Text(sentence))
    if off := off_schedule(run.side().metrics):
        grid.add_row(Text("marked", "bold"), Text(off))
    return grid


def _ways_on(run: Digest) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(Text("Report", "bold"), Text(shown_path(_page(run))))
    grid.add_row(Text("Repeat", "bold"), Text(run.repeat))
    return grid


def summary_table(runs: Sequence[Digest]) -> RenderableType:
    """Several runs, a row each, then what the known gaps cost, then where the reports are."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("scenario", overflow="fold")
    table.add_column("verdict", no_wrap=True)
    for heading in ("jobs", "lost", "stuck", "twice", "hit", "p95", "slowest recovery"):
        table.add_column(heading, justify="right", no_wrap=heading != "slowest recovery")
    for run in runs:
        names = (
            "jobs.acknowledged",
            "jobs.lost",
            "jobs.stuck",
            "jobs.duplicated",
            "faults.jobs_hit",
            "latency.p95",
            "recovery.max",
        )
        cells = [_cell(run.metric(name)) for name in names]
        table.add_row(Text(run.name), _verdict_cell(run), *cells)
    parts: list[RenderableType] = [table]
    for run in runs:
        if run.known_gap and run.verdict == "broken":
            parts += [Text(), *_gap(run)]
    parts += [Text(), Text("Reports", "bold"), *(Text(f"  {shown_path(_page(run))}", overflow="fold") for run in runs)]
    return Group(*parts)


def _gap(run: Digest) -> Iterator[RenderableType]:
    """An expected failure shows what it costs: the figures, and one victim's life."""
    yield Text.assemble((f"Known gap in {run.name}: ", "bold"), _ended(run.sentence))
    for line in run.story[: MOST_EVENTS + 2]:
        yield Text(f"  {line}", "dim", overflow="fold")


def _page(run: Digest) -> Path:
    """The report's page, or the folder where there is none."""
    page = Path(run.folder) / "report.html"
    return page if page.exists() else page.parent


def _verdict_cell(run: Digest) -> Text:
    word = "crossed" if run.exit_code == 4 else run.verdict
    shown = Text("gate crossed" if word == "crossed" else word, STYLES[word])
    if run.known_gap:
        shown.append(
            " (known gap)" if run.verdict == "broken" else " (known gap closed?)" if run.verdict == "holds" else "", "dim"
        )
    return shown


BAD_COUNTS = ("jobs.lost", "jobs.stuck", "jobs.duplicated")


def _cell(metric: Metric) -> Text:
    return Text(str(metric), "red" if metric.name in BAD_COUNTS and metric.value else "")


def before_after_table(comparison: Comparison) -> RenderableType:
    """Two runs side by side: counts as facts, measurements with their caveat, and every variable that differs."""
    counted = [change for change in comparison.changes if change.counted]
    measured = [change for change in comparison.changes if not change.counted]
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    table.add_column("counted", no_wrap=True)
    for heading in ("before", "after", ""):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    for change in counted:
        word = _word(change) if comparison.same_work else Text()
        table.add_row(Text(change.name), Text(str(change.before)), Text(str(change.after)), word)
    table.add_row()
    table.add_row(Text("measured, one run a side", "bold"))
    for change in _worth_showing(measured):
        share = Text(_share(change) if comparison.same_work else "", "dim")
        table.add_row(Text(change.name), Text(str(change.before)), Text(str(change.after)), share)
    return Group(
        Text.assemble(("Before and after: ", "bold"), f"{comparison.before} -> {comparison.after}"),
        Text(),
        table,
        Text(),
        *_variables(comparison),
        *(Text(f"! {warning}", "yellow", overflow="fold") for warning in comparison.warnings),
    )


def _share(change: Change) -> str:
    if change.share is None:
        return ""
    if change.share > 9:
        return f"x{change.share + 1:.0f}"
    return "0%" if abs(change.share) < 0.005 else f"{change.share:+.0%}"


def _word(change: Change) -> Text:
    return Text(change.word, {"better": "green", "worse": "red"}.get(change.word, "dim"))


def _worth_showing(changes: Iterable[Change]) -> Iterator[Change]:
    """The report page has every metric; here the tails that rest on a handful of jobs are left out."""
    for change in changes:
        if not change.name.endswith("p99.9") and (change.before.value is not None or change.after.value is not None):
            yield change


def _variables(comparison: Comparison) -> Iterator[RenderableType]:
    if not comparison.differences:
        return
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for heading in ("what differs", "before", "after"):
        table.add_column(heading, overflow="fold")
    for one in comparison.differences:
        table.add_row(Text(one.name), Text(_shown(one.before)), Text(_shown(one.after)))
    yield table
    yield Text()


def _shown(value: object) -> str:
    return "not set" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
