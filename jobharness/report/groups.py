"""The figures of each task and each phase, in words: what the page shows of a breakdown."""

from __future__ import annotations

from collections.abc import Mapping

from jobharness.metrics.breakdown import Breakdown
from jobharness.metrics.metric import Metric
from jobharness.report.words import figure, short_task

__all__ = ["COLUMNS", "group_tables"]

COLUMNS = {
    "jobs.acknowledged": "jobs",
    "jobs.lost_or_stuck": "lost or stuck",
    "jobs.duplicated": "run again",
    "error_rate": "errors",
    "wait.p95": "wait p95",
    "latency.p50": "latency p50",
    "latency.p95": "p95",
    "latency.p99": "p99",
    "run_time.p95": "run time p95",
}
"""The metrics that are shown of each group, and what they are called there."""

Row = tuple[str, list[str]]


def group_tables(found: Breakdown) -> list[tuple[str, list[Row]]]:
    """`(heading, rows)` of each table that has something to tell apart; a row is the group's name and its cells."""
    tasks = {short_task(name): figures for name, figures in found.tasks.items()}
    # Tasks of two modules may be called alike.
    tasks = tasks if len(tasks) == len(found.tasks) else found.tasks
    tables = (("Task", tasks), ("Phase, by intended arrival", found.phases))
    return [(heading, [_row(name, figures) for name, figures in groups.items()]) for heading, groups in tables if len(groups) > 1]


def _row(name: str, figures: Mapping[str, Metric]) -> Row:
    return name, [_cell(figures[metric]) for metric in COLUMNS]


def _cell(metric: Metric) -> str:
    if metric.name == "error_rate" and metric.value is not None:
        return f"{metric.value:.1%}"
    return figure(metric.value, metric.unit)
