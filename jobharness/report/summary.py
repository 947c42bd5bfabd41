"""The runs of a session for a page of CI: Markdown for its summary, and a line that marks each scenario that is red."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from jobharness.report.digest import Digest
from jobharness.report.words import MARKS, figure

__all__ = ["error_lines", "markdown"]

COLUMNS = {
    "jobs": ("jobs.acknowledged", "jobs"),
    "lost": ("jobs.lost", "jobs"),
    "stuck": ("jobs.stuck", "jobs"),
    "twice": ("jobs.duplicated", "jobs"),
    "hit": ("faults.jobs_hit", "jobs"),
    "p95": ("latency.p95", "s"),
}
MOST_EVENTS = 20


def markdown(runs: Sequence[Digest]) -> str:
    """A table of the runs, then of each that is red the reason, one victim's life and the command that repeats it."""
    head = f"| scenario | verdict | {' | '.join(COLUMNS)} |\n| --- | --- |{' ---: |' * len(COLUMNS)}\n"
    rows = "".join(
        f"| {_safe(run.name)} | {_verdict(run)} | "
        + " | ".join(figure(run.metric(name).value, unit) for name, unit in COLUMNS.values())
        + " |\n"
        for run in runs
    )
    return f"### jobharness\n\n{head}{rows}\n" + "".join(_red(run) for run in runs if _is_red(run))


def _is_red(run: Digest) -> bool:
    """A known gap that is open is expected; one that is closed is not."""
    return (run.verdict == "holds") == bool(run.known_gap) if run.exit_code in (0, 1) else True


def _verdict(run: Digest) -> str:
    word = "gate crossed" if run.exit_code == 4 else run.verdict
    mark = MARKS["crossed" if run.exit_code == 4 else run.verdict]
    return f"{mark} {word}" + (" (known gap)" if run.known_gap else "")


def _red(run: Digest) -> str:
    story = "\n".join(run.story[:MOST_EVENTS])
    told = f"\n```text\n{story.replace('```', '` ` `')}\n```\n" if story else ""
    reason = "The known gap is closed: take `known_gap` out." if run.verdict == "holds" and run.known_gap else _safe(run.sentence)
    return f"**{_safe(run.name)}**: {reason}\n{told}\nRepeat: `{run.repeat}`\n\n"


def _safe(text: str) -> str:
    """On one line of a table, and no markup of anybody else's."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def error_lines(runs: Sequence[Digest], root: Path) -> Iterator[str]:
    """For GitHub, a command a line that marks the file of each red scenario
    (https://docs.github.com/actions/reference/workflow-commands-for-github-actions)."""
    for run in runs:
        if _is_red(run):
            file = _property(os.path.relpath(run.source, root)) if run.source else ""
            where = f"file={file},line=1," if file else ""
            yield f"::error {where}title={_property(f'{run.title}: {run.verdict}')}::{_data(run.sentence)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
