"""The report as JSON: run.json, verdict.json, metrics.json and breakdown.json.

verdict.json is for other programs: its shape is published (`jobharness schema verdict`, docs/verdict.md). Within one schema
number keys are added and never renamed or removed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from jobharness.contracts.contract import Finding
from jobharness.history.frame import History, Moment
from jobharness.metrics.breakdown import Breakdown, break_down
from jobharness.runner.result import Result

__all__ = ["VERDICT_SCHEMA", "VerdictFile", "breakdown_json", "metrics_json", "verdict_json", "write_breakdown", "write_json"]

MOST_STORIES = 20
VERDICT_SCHEMA = 1

Verdict = Literal["broken", "unknown", "vacuous", "holds"]


class Part(BaseModel):
    """A part of the file; every key is always there."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class EventPart(Part):
    """One event of a job's life."""

    since_s: float
    """Seconds since the job's enqueue began, or since its first event where no enqueue was seen; may be negative."""
    event: str
    """Such as "job.running"."""
    worker: str
    """The process that recorded it, such as "worker-1"."""
    attempt: int
    """The library's own count of the execution, from 1; 0 where it has none."""
    text: str
    """Exception, reason or label."""
    value: int
    """One small value; its meaning belongs to the kind of event."""
    row: int
    """Its row in history.parquet."""


class StoryPart(Part):
    """Everything that was seen of one job."""

    job: str
    """The library's own id of the job."""
    task: str
    """Name of its task; "" where no event tells it."""
    events: list[EventPart]
    """In the order of time."""


class OffencePart(Part):
    """One thing that is held against a promise."""

    job: str | None
    """The library's own id of the job; null where the offence is of no single job."""
    row: int | None
    """The row of history.parquet that shows it; null where it is something that did not happen."""
    why: str
    """In words."""


class FindingPart(Part):
    """What became of one promise."""

    contract: str
    """Its name: with the word it reads as a sentence, such as "at_least_once: broken"."""
    promise: str
    """The promise in one sentence."""
    word: Verdict
    """What became of it."""
    sentence: str
    """The reason, in words."""
    counts: dict[str, int]
    """The figures behind it, such as {"lost": 3}."""
    offences: list[OffencePart]
    """Every one, the gravest first."""
    stories: list[StoryPart]
    """The lives of the first twenty jobs that offend."""


class GatePart(Part):
    """What the gate says of one metric."""

    metric: str
    """Such as "latency.p95"."""
    word: Literal["passed", "crossed", "unknown"]
    """Whether its limit was kept."""
    sentence: str
    """The reason, in words."""


class VerdictFile(Part):
    """The verdict of one run of jobharness, as verdict.json holds it."""

    version: int = Field(alias="schema", default=VERDICT_SCHEMA, ge=1)
    """The number of this schema."""
    verdict: Verdict
    """The gravest word among the findings, in this order: broken, unknown, vacuous, holds. Only "holds" is a pass."""
    exit_code: Literal[0, 1, 3, 4]
    """0 passed, 1 a contract is broken, 3 no verdict (unknown or vacuous), 4 a gate was crossed."""
    repeat: str
    """The command that runs it again."""
    findings: list[FindingPart]
    """One for each promise, the gravest first."""
    gate: list[GatePart]
    """One for each limit that the scenario sets."""


def verdict_json(result: Result) -> dict[str, Any]:
    """The verdict with every finding; each offence is listed, the worst twenty jobs of a finding with their life stories."""
    return VerdictFile(
        verdict=str(result.verdict.word),
        exit_code=result.exit_code,
        repeat=result.repeat,
        findings=[_finding(result.history, finding) for finding in result.verdict.findings],
        gate=[GatePart(metric=one.metric, word=one.word, sentence=one.sentence) for one in result.crossings],
    ).model_dump(by_alias=True)


def _finding(history: History, finding: Finding) -> FindingPart:
    told = finding.jobs[:MOST_STORIES]
    stories = history.lives_told(told) if told else {}
    return FindingPart(
        contract=finding.contract,
        promise=finding.promise,
        word=str(finding.word),
        sentence=finding.sentence,
        counts=dict(finding.counts),
        offences=[
            OffencePart(job=history.job_id(job) if job is not None else None, row=row, why=why)
            for job, row, why in finding.offenders.iter_rows()
        ],
        stories=[
            StoryPart(job=history.job_id(job), task=history.task_of(job), events=[_event(moment) for moment in stories[job]])
            for job in told
        ],
    )


def _event(moment: Moment) -> EventPart:
    return EventPart(
        since_s=round(moment.since_s, 6),
        event=moment.kind.name_,
        worker=moment.worker,
        attempt=moment.attempt,
        text=moment.text,
        value=moment.value,
        row=moment.row,
    )


def metrics_json(result: Result) -> dict[str, Any]:
    """Every metric with its value in base units, its unit, and the count behind it."""
    return {name: metric.plain for name, metric in result.metrics.items()}


def breakdown_json(found: Breakdown) -> dict[str, Any]:
    """The metrics of each task and each phase, as `metrics_json` has those of the run."""
    return {
        name: {group: {one.name: one.plain for one in metrics.values()} for group, metrics in groups.items()}
        for name, groups in (("tasks", found.tasks), ("phases", found.phases))
    }


def write_json(result: Result) -> None:
    """Write the four files into the run's folder."""
    for name, content in (
        ("run.json", result.about),
        ("verdict.json", verdict_json(result)),
        ("metrics.json", metrics_json(result)),
    ):
        _write(result.folder / name, content)
    write_breakdown(result.folder, result.history)


def write_breakdown(folder: Path, history: History) -> None:
    """Write breakdown.json alone, which runs of older versions lack."""
    _write(folder / "breakdown.json", breakdown_json(break_down(history)))


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=2, default=str, ensure_ascii=False) + "\n", encoding="utf-8")
