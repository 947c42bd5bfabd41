"""The jobs that broke a promise, one row each, with their arguments and their life stories."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from jobharness.clock import seconds_between
from jobharness.contracts.contract import Verdict, Word
from jobharness.history.event import Kind
from jobharness.history.frame import History, Moment
from jobharness.report.strikes import Strike
from jobharness.report.window import Window
from jobharness.runner.masking import without_secrets

__all__ = ["Offender", "offenders_of", "planned_arguments"]

MOST = 400
"""Jobs in the table; the others are counted, and listed in verdict.json."""


@dataclass(frozen=True)
class Offender:
    """A job and what is held against it.

    `offences`: contract and reason, in the order of gravity; `strikes`: numbers of the strikes that hit it; `executions`: how
    often it ran; `arguments`: as planned, secrets masked, "" where they are not known; `silent_s`: how long nothing was heard
    of it before the run ended, None where it had come to an end.
    """

    job: int
    job_id: str
    task: str
    offences: tuple[tuple[str, str], ...]
    strikes: tuple[int, ...]
    executions: int
    enqueued_s: float | None
    arguments: str
    story: tuple[Moment, ...]
    silent_s: float | None = None


def offenders_of(
    history: History, verdict: Verdict, strikes: Sequence[Strike], window: Window, plan: Path, mask: Sequence[str] = ()
) -> tuple[list[Offender], int]:
    """The first `MOST` offenders, the gravest first, and how many there are in all. `mask`: further names of secret arguments."""
    against: dict[int, list[tuple[str, str]]] = {}
    for finding in verdict.findings:
        if finding.word is Word.HOLDS:
            continue
        for job, why in finding.offenders.select("job", "why").drop_nulls("job").unique(maintain_order=True).iter_rows():
            against.setdefault(job, []).append((finding.contract, why))
    shown = list(against)[:MOST]
    wanted = pl.Series("job", shown, dtype=pl.UInt32)
    lives = {row["job"]: row for row in history.lives.filter(pl.col("job").is_in(wanted.implode())).iter_rows(named=True)}
    stories = history.lives_told(shown)
    hit_by = _hit_by(strikes)
    arguments = planned_arguments(history, plan, shown, mask)
    return [
        Offender(
            job=job,
            job_id=history.job_id(job),
            task=history.text(lives[job]["task"]) if job in lives else "",
            offences=tuple(against[job]),
            strikes=tuple(hit_by.get(job, ())),
            executions=lives[job]["running"] if job in lives else 0,
            enqueued_s=_enqueued_s(lives.get(job), window),
            arguments=arguments.get(job, ""),
            story=tuple(stories[job]),
            silent_s=_silent_s(lives.get(job), stories[job], window),
        )
        for job in shown
    ], len(against)


def _enqueued_s(life: Mapping[str, Any] | None, window: Window) -> float | None:
    begun_ns = life["begun_ns"] if life is not None else None
    return seconds_between(window.origin_ns, begun_ns) if begun_ns is not None else None


ENDED = (Kind.JOB_FINISHED, Kind.JOB_DEAD, Kind.JOB_HELD, Kind.JOB_BURIED)


def _silent_s(life: Mapping[str, Any] | None, story: Sequence[Moment], window: Window) -> float | None:
    begun_ns = life["begun_ns"] if life is not None else None
    if begun_ns is None or not story or any(moment.kind in ENDED for moment in story[-2:]):
        return None
    return max(0.0, seconds_between(begun_ns, window.over_ns) - story[-1].since_s)


def _hit_by(strikes: Sequence[Strike]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for strike in strikes:
        for hit in strike.hits:
            found.setdefault(hit.job, []).append(strike.number)
    return found


def planned_arguments(history: History, plan: Path, jobs: Iterable[int], mask: Sequence[str] = ()) -> dict[int, str]:
    """What each job was to be called with, by the moment for which it was planned; nothing where that is not certain.

    The plan counts from the start of the workload, which is known only if both the first and the last planned job were
    recorded. Two jobs that were planned for the same moment cannot be told apart, and are left out.
    """
    wanted = pl.Series("job", list(jobs), dtype=pl.UInt32)
    if not len(wanted) or not plan.exists():
        return {}
    lives = history.lives.filter(pl.col("intended_ns") > 0)
    moments = lives.filter(pl.col("job").is_in(wanted.implode())).select("job", "intended_ns").rows()
    span = lives.select(first=pl.col("intended_ns").min(), last=pl.col("intended_ns").max()).row(0)
    lines = _lines_at(plan, span, {intended_ns for _, intended_ns in moments})
    return {job: _call(lines[moment], mask) for job, moment in moments if moment in lines}


def _lines_at(plan: Path, span: tuple[int | None, int | None], moments: set[int]) -> dict[int, bytes]:
    """The plan's lines by their moment, ns of the machine's clock."""
    found: dict[int, bytes] = {}
    ambiguous: set[int] = set()
    start_ns, at_ns = None, None
    with plan.open("rb") as lines:
        next(lines, None)
        for line in lines:
            # Only the wanted lines are parsed: a plan may have a million.
            at_ns = int(line[line.index(b":") + 1 : line.index(b",")])
            if start_ns is None:
                start_ns = (span[0] or 0) - at_ns
            moment = start_ns + at_ns
            if moment in moments:
                ambiguous.update({moment} & found.keys())
                found[moment] = line
    certain = start_ns is not None and at_ns is not None and start_ns + at_ns == span[1]
    return {moment: line for moment, line in found.items() if moment not in ambiguous} if certain else {}


def _call(line: bytes, mask: Sequence[str]) -> str:
    job = without_secrets(json.loads(line), also=mask)
    if "http" in job:
        return f"{job['http'].get('method', 'POST')} {_compact(job['http'].get('body', {}))}"
    job = job["links"][0] if "links" in job else job  # The moment is that of the first of a chain or group.
    words = [_compact(argument) for argument in job.get("args", [])]
    words += [f"{name}={_compact(value)}" for name, value in job.get("kwargs", {}).items()]
    return ", ".join(words)


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
