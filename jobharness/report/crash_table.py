"""How a crash map reads in a terminal: the verdict in a sentence, a strip of steps with the outcomes, what is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from jobharness.explore.advice import Advised
from jobharness.explore.chart import CrashMap, Tried
from jobharness.explore.outcome import GRAVEST_FIRST, Word
from jobharness.explore.points import CONTROL
from jobharness.explore.replay import Now, Replayed
from jobharness.report.terminal import shown_path

__all__ = ["COLUMNS", "STYLES", "advice_report", "crash_report", "headline", "replay_report", "rows", "subject", "subject_of"]

COLUMNS = ("before", "after", "reply lost", "message lost")
HEADS = ("killed before it leaves", "killed after it arrived", "its reply lost", "it is lost")
VICTIMS = {"tree": "", "main": "main process alone", "child": "child alone"}
STYLES = {
    Word.LOST: "bold red",
    Word.STUCK: "bold red",
    Word.DEAD_LETTERED: "magenta",
    Word.TWICE: "yellow",
    Word.LATE: "yellow",
    Word.ONCE_PENDING: "yellow",
    Word.ONCE: "green",
    Word.UNKNOWN: "bold yellow",
}
MOST_LISTED = 12


def subject(chart: CrashMap) -> str:
    """Such as "celery 5.7.0 (pool prefork) on redis 7.0.15"."""
    return subject_of(chart.about)


def subject_of(about: Mapping[str, Any]) -> str:
    """The same, of what `run.json` says."""
    queue: Mapping[str, Any] = about.get("scenario", {}).get("queue", {})
    version = (about.get("versions") or {}).get("queue") or ""
    broker = str(about.get("broker", "")).partition(" (")[0]
    pool = f" (pool {queue['pool']})" if queue.get("pool") else ""
    return f"{queue.get('adapter', '')} {version}{pool} on {broker}"


def headline(chart: CrashMap) -> str:
    """The map in one sentence."""
    crashes = [tried for tried in chart.tried if tried.point.kind != CONTROL]
    words = Counter(tried.worst.word for tried in crashes)
    counts = ", ".join(f"{words[word]} {word}" for word in GRAVEST_FIRST if words[word])
    total = len(crashes)
    names = Counter(name for tried in crashes for name in tried.wrong)
    counts += "".join(f"; {name!r} broken at {count}" for name, count in names.items())
    if chart.control is not None and chart.control in chart.broken:
        return f"with nothing going wrong the job is {chart.control.text}; {total} crashes: {counts}"
    if chart.verdict == "vacuous":
        return "the job has no step at which anything could be tried"
    ways = f"{total} crashes that the broker can tell apart: {counts}"
    if chart.verdict == "unknown" and chart.left_out:
        return f"{ways}; {len(chart.left_out)} left out"
    return ways


def rows(chart: CrashMap) -> Iterator[tuple[int, str, str, dict[str, list[Tried]]]]:
    """`(step, label, victim, tried by column)` for each line of the strip; a line without a point is left out."""
    for number, step in enumerate(chart.steps):
        here = [tried for tried in chart.tried if tried.point.step == number]
        for victim in VICTIMS:
            of_victim = [one for one in here if one.point.victim == victim or (victim == "tree" and not one.point.victim)]
            if of_victim or victim == "tree":
                cells = {kind: [one for one in of_victim if one.point.kind == kind] for kind in COLUMNS}
                yield number, step.label, victim, cells


def crash_report(chart: CrashMap) -> RenderableType:
    """A map, for someone in a hurry."""
    style = {"broken": "bold red", "holds": "bold green"}.get(chart.verdict, "bold yellow")
    head = Text.assemble((f"{chart.verdict.upper()}: ", style), (headline(chart) + ".", "bold"))
    parts: list[RenderableType] = [head, Text(f"{chart.title}: {chart.task}"), Text(subject(chart), "dim"), Text(), _strip(chart)]
    if chart.broken:
        parts += [Text(), *_wrong(chart)]
    parts += [Text(), *_notes(chart)]
    return Group(*parts)


def _strip(chart: CrashMap) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("", "step", *HEADS):
        table.add_column(name, overflow="fold")
    for number, label, victim, cells in rows(chart):
        first = Text(str(number + 1)) if victim == "tree" else Text()
        what = Text(label) if victim == "tree" else Text(f"  {VICTIMS[victim]}", "dim")
        table.add_row(first, what, *(_cell(cells[kind]) for kind in COLUMNS))
    return table


def _cell(found: Sequence[Tried]) -> Text:
    first = [tried for tried in found if tried.second is None]
    text = Text("  ").join(_told(tried) for tried in first)
    deeper = [tried for tried in found if tried.second is not None]
    if deeper:
        worst = min(deeper, key=lambda tried: list(STYLES).index(tried.worst.word))
        text.append(f"  then {worst.text}", STYLES[worst.worst.word])
    return text if found else Text("–", "dim")


def _told(tried: Tried) -> Text:
    """The outcome, marked where the app's own data were wrong after it."""
    text = Text(tried.text, STYLES[tried.worst.word])
    return text.append(" !", "bold red") if tried.wrong else text


def _wrong(chart: CrashMap) -> Iterator[RenderableType]:
    grid = Table.grid(padding=(0, 2))
    for tried in chart.broken[:MOST_LISTED]:
        where = f" ({tried.worst.where})" if tried.worst.where else ""
        then = f", then {tried.second.sentence()}" if tried.second is not None else ""
        trial = shown_path(chart.folder / "trials" / f"{tried.telling}.json")
        grid.add_row(_told(tried), Text(tried.point.sentence() + then + where))
        for name, found in tried.wrong.items():
            grid.add_row("", Text(f"! {name}: {found}", "red"))
        grid.add_row("", Text(f"jobharness replay {trial}", "dim"))
    yield grid
    if len(chart.broken) > MOST_LISTED:
        yield Text(f"and {len(chart.broken) - MOST_LISTED} more, in the report", "dim")


def _notes(chart: CrashMap) -> Iterator[RenderableType]:
    notes = [f"{words}." for words in chart.waits]
    if chart.noise:
        notes.append(f"Heard by chance (in one of two learning runs, or in no trial), and left out: {', '.join(chart.noise)}.")
    if chart.left_out:
        notes.append(f"Left out: {'; '.join(chart.left_out)}.")
    for tried in chart.untold:
        notes.append(f"Nobody can tell at {tried.name} ({tried.point.sentence()}): {tried.worst.where}.")
    if chart.control is not None:
        notes.append(f"Control, nothing going wrong, another worker standing by: {chart.control.text}.")
    trials = sum(len(tried.trials) for tried in chart.tried)
    notes.append(f"{trials} trials in {chart.took_s:.0f} s; allowed: {', '.join(sorted(chart.allowed))}.")
    yield Text("\n".join(note[:1].upper() + note[1:] for note in notes), "dim")
    yield Text.assemble(("Report: ", "dim"), shown_path(chart.folder / "report.html"))


def advice_report(found: Sequence[Advised]) -> RenderableType:
    """What each change came to, beside the map as it is."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("change", "wrong", "turned right", "gone", "wrong now only", "done again at", "jobs/s"):
        table.add_column(name, justify="left" if name == "change" else "right", overflow="fold")
    for one in found:
        if one.chart is None:
            table.add_row(one.name, Text("not tried", "bold yellow"), *("–" for _ in range(5)))
            continue
        counts = [str(len(places)) if one.advice is not None else "" for places in (one.turned, one.gone, one.worse)]
        speed = f"{one.jobs_per_s:.0f}" if one.jobs_per_s is not None else "–"
        wrong = Text(str(one.wrong), "bold red" if one.wrong else "bold green")
        table.add_row(one.name, wrong, *counts, str(one.duplicates), speed)
    lines: list[RenderableType] = [table]
    for one in found[1:]:
        if one.advice is not None:
            lines += [Text(), Text.assemble((one.name, "bold"), f": {one.advice.why}")]
            values = {**one.advice.settings, **one.advice.options}
            lines.append(Text("  " + ", ".join(f"{name} = {value}" for name, value in values.items()), "dim"))
            lines += [Text(f"  not tried: {one.why_not}", "yellow")] if one.why_not else []
            lines += [Text(f"  turned right: {place}", "green") for place in one.turned]
            lines += [Text(f"  wrong now: {place}", "red") for place in one.worse]
    return Group(*lines)


def replay_report(replayed: Replayed) -> RenderableType:
    """A replay, in a few lines."""
    good = replayed.now in (Now.FIXED, Now.STILL_RIGHT)
    style = "bold green" if good else "bold red" if replayed.now is Now.STILL_BROKEN else "bold yellow"
    outcomes = ", ".join(one.text for one in replayed.outcomes)
    was = replayed.kept.outcome.text
    lines = [
        Text.assemble((f"{str(replayed.now).upper()}: ", style), (replayed.kept.point.sentence(), "bold")),
        Text(f"was {was}; now {outcomes}"),
    ]
    if replayed.now is Now.NOT_REPRODUCED:
        untold = [one.where for one in replayed.outcomes if one.word is Word.UNKNOWN]
        why = f"{untold[0]}; the job's steps may have changed: make the map anew" if untold else "and nothing was changed since"
        lines.append(Text(why))
    if replayed.changed:
        lines.append(Text(f"changed since the map was made: {', '.join(replayed.changed)}", "dim"))
    lines.append(Text(f"evidence: {shown_path(replayed.folder / 'trials')}", "dim"))
    return Group(*lines)
