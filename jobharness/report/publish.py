"""Writes the files of a run's report beside its history."""

from __future__ import annotations

from jobharness.report.data import write_json
from jobharness.runner.result import Result

__all__ = ["publish"]


def publish(result: Result) -> None:
    """Write run.json, verdict.json, metrics.json and report.html into the run's folder."""
    write_json(result)
