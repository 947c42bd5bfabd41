"""The change record: a trial as Markdown, short enough for a comment on a pull request.

It says why, what was expected, how to take it back, what was changed, what came of it, what it cost, and what was taken for
granted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from jobharness.metrics.detectable import POWER
from jobharness.metrics.intervals import LEVEL
from jobharness.metrics.judgement import ALPHA, Judgement
from jobharness.metrics.metric import Metric
from jobharness.report.trial import Trial, causes

__all__ = ["assumptions", "record"]

MOST_FILES = 15
MOST_DIFFERENCES = 20
WORDS = {0: "passed", 1: "a promise is broken", 3: "no verdict", 4: "the gate is crossed", 130: "interrupted"}


def record(one: Trial) -> str:
    """The whole record."""
    parts = [_head(one), _warnings(one), _notes(one), _promises(one), _metrics(one), _gate(one), _changes(one), _assumptions(one)]
    return "\n".join(part for part in parts if part) + "\n"


def _head(one: Trial) -> str:
    runs = f"{len(one.before.runs)} pairs of runs" if one.paired else f"{len(one.before.runs)} and {len(one.after.runs)} runs"
    return (
        f"## {_safe(one.notes.title)}: {_safe(one.before.name)} → {_safe(one.after.name)}\n\n"
        f"**{_safe(one.headline)}** ({WORDS[one.exit_code]}, exit code {one.exit_code}; {runs})\n"
    )


def _warnings(one: Trial) -> str:
    return "".join(f"> ⚠ {_safe(warning)}\n" for warning in one.warnings)


def _notes(one: Trial) -> str:
    notes = one.notes
    rows = {
        "Reason": notes.reason or "not given",
        "Owner": notes.owner or "not given",
        "Expected": notes.expected or "not given",
        "Rollback": notes.rollback or "not given",
        "Before": one.before.state,
        "After": one.after.state,
        "Command": f"`{one.command}`",
    }
    return "".join(f"- {name}: {value if name == 'Command' else _safe(value)}\n" for name, value in rows.items() if value)


def _promises(one: Trial) -> str:
    told = [kept for kept in one.kept if kept.word != "not known"]
    if not told:
        return ""
    rows = "".join(f"| {kept.promise} | {_strong(kept.word)} | {kept.sentence} |\n" for kept in told)
    return f"| promise | | |\n| --- | --- | --- |\n{rows}"


def _metrics(one: Trial) -> str:
    rows = [_row(judged) for judged in _by_interest(one.judgements)]
    if not rows:
        return ""
    return "| metric | before | after | difference | | could have seen |\n| --- | ---: | ---: | --- | --- | ---: |\n" + "".join(
        rows
    )


def _by_interest(judged: Sequence[Judgement]) -> Iterator[Judgement]:
    """What paid, what improved, then the rest; counts that stayed at zero are left out: the promises tell."""
    order = ("worse", "better", "not enough evidence", "no difference")
    told = [one for one in judged if not (one.word == "no difference" and one.before == one.after == 0)]
    yield from sorted(told, key=lambda one: order.index(one.word))


def _row(one: Judgement) -> str:
    before, after = (str(Metric(one.name, value, one.unit, 0)) for value in (one.before, one.after))
    if one.unit == "jobs" and not one.relative:
        before, after = (f"{value or 0:.3g}" for value in (one.before, one.after))
    could = one.smallest or ""
    note = "" if one.word in ("better", "no difference", "worse") else f": {one.sentence}"
    return f"| {one.name} | {before} | {after} | {one.difference} | {_strong(one.word)}{note} | {could} |\n"


def _strong(word: str) -> str:
    return f"**{word}**" if word in ("worse", "better", "newly broken", "broken on both", "mended") else word


def _gate(one: Trial) -> str:
    return "".join(f"- gate {_strong_gate(crossing.word)}: {crossing.sentence}\n" for crossing in one.crossings)


def _strong_gate(word: str) -> str:
    return word if word == "passed" else f"**{word}**"


def _changes(one: Trial) -> str:
    lines = []
    if one.files:
        shown = [*one.files[:MOST_FILES], *([" …", one.files[-1]] if len(one.files) > MOST_FILES else [])]
        lines += ["```text", *shown, "```"]
    told = [found for found in one.differences if found.name in causes(one.differences)]
    if told:
        rows = [f"| {found.name} | {_value(found.before)} | {_value(found.after)} |" for found in told[:MOST_DIFFERENCES]]
        more = [f"| … {len(told) - MOST_DIFFERENCES} more | | |"] if len(told) > MOST_DIFFERENCES else []
        lines += ["| what differs | before | after |", "| --- | --- | --- |", *rows, *more]
    return "\n".join(lines) + "\n" if lines else ""


def _value(value: Any) -> str:
    return "not set" if value is None else _safe(str(value).lower() if isinstance(value, bool) else str(value))


def _safe(text: str) -> str:
    """On one line of a table, and no markup of anybody else's."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def assumptions(one: Trial) -> list[str]:
    """What the conclusions rest on."""
    made = (
        "Both sides ran on one machine, in pairs with the same seed; a coin decided which went first. Warm-ups do not count."
        if one.paired
        else f"The runs of the two sides were not made in turns: every interval is wider by {one.floor:.0%} at both ends."
    )
    return [
        made,
        "A run is one observation, however many jobs are in it; figures are means of the middle three fifths of the runs.",
        f"Intervals are {LEVEL:.0%}. A difference is called if all of it lies past the tolerance and, over all metrics together, "
        f"chance alone would call one in at most {ALPHA:.0%} of such comparisons.",
        f'"Could have seen": the smallest true difference that would have been called {POWER:.0%} of the time.',
        "Recovery is measured of jobs that came back; those that did not are lost or stuck.",
    ]


def _assumptions(one: Trial) -> str:
    lines = "".join(f"- {line}\n" for line in assumptions(one))
    return f"<details><summary>What this rests on</summary>\n\n{lines}\n</details>"
