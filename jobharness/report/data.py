"""The report as JSON: run.json, verdict.json and metrics.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jobharness.contracts.contract import Finding
from jobharness.history.frame import History
from jobharness.runner.result import Result

__all__ = ["metrics_json", "verdict_json", "write_json"]

MOST_STORIES = 20


def verdict_json(result: Result) -> dict[str, Any]:
    """The verdict with every finding; each offence is listed, the worst twenty jobs of a finding with their life stories."""
    return {
        "verdict": str(result.verdict.word),
        "exit_code": result.exit_code,
        "repeat": result.repeat,
        "findings": [_finding(result.history, finding) for finding in result.verdict.findings],
        "gate": [{"metric": c.metric, "word": c.word, "sentence": c.sentence} for c in result.crossings],
    }


def _finding(history: History, finding: Finding) -> dict[str, Any]:
    jobs = finding.jobs
    return {
        "contract": finding.contract,
        "promise": finding.promise,
        "word": str(finding.word),
        "sentence": finding.sentence,
        "counts": dict(finding.counts),
        "offences": [
            {"job": history.job_id(job) if job is not None else None, "row": row, "why": why}
            for job, row, why in finding.offenders.iter_rows()
        ],
        "stories": [
            {"job": history.job_id(job), "task": history.task_of(job), "events": [_event(m) for m in history.life(job)]}
            for job in jobs[:MOST_STORIES]
        ],
    }


def _event(moment: Any) -> dict[str, Any]:
    return {
        "since_s": round(moment.since_s, 6),
        "event": moment.kind.name_,
        "worker": moment.worker,
        "attempt": moment.attempt,
        "text": moment.text,
        "value": moment.value,
        "row": moment.row,
    }


def metrics_json(result: Result) -> dict[str, Any]:
    """Every metric with its value in base units, its unit, and the count behind it."""
    return {
        name: {"value": metric.value, "unit": metric.unit, "count": metric.count, "better": metric.better}
        for name, metric in result.metrics.items()
    }


def write_json(result: Result) -> None:
    """Write the three files into the run's folder."""
    for name, content in (
        ("run.json", result.about),
        ("verdict.json", verdict_json(result)),
        ("metrics.json", metrics_json(result)),
    ):
        _write(result.folder / name, content)


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=2, default=str, ensure_ascii=False) + "\n", encoding="utf-8")
