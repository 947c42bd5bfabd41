"""The same figures by phase (before, during and after each fault) and by task.

A job belongs to the phase in which its intended arrival lies: during a fault from a strike of that fault to its end,
after it from there to the next strike of any fault or to the end, before from the beginning to the first strike of
all. Phases of two faults may overlap.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from jobharness.history.columns import NEVER, Int64s
from jobharness.history.event import Kind
from jobharness.history.frame import History
from jobharness.metrics.latency import DURATIONS, durations_ns
from jobharness.metrics.metric import Metric
from jobharness.metrics.percentile import percentiles

__all__ = ["by_phase", "by_task"]

Groups = dict[str, dict[str, Metric]]


def by_task(history: History) -> Groups:
    """Task name -> its metrics by name. Jobs whose task is not known are under "-"."""
    tasks = history.tally.label("task")
    order = np.argsort(tasks.astype(np.uint16) if history.texts.len() <= 2**16 else tasks, kind="stable")
    ends = np.cumsum(np.bincount(tasks, minlength=1))
    groups = zip(np.split(order, ends[:-1]), range(len(ends)), strict=True)
    return _figures(history, {history.text(number) or "-": jobs for jobs, number in groups if len(jobs)})


def by_phase(history: History) -> Groups:
    """Phase -> its metrics by name; without faults there is none."""
    intended_ns = history.tally.intended_ns
    return _figures(history, {name: _within(intended_ns, spans) for name, spans in _phases(history)})


def _within(moments_ns: Int64s, spans: list[tuple[int, int]]) -> Int64s:
    """The places whose moment lies in one of the spans (ascending, disjoint, without their ends)."""
    bounds = np.array([bound for span in spans for bound in span], np.int64)
    return np.flatnonzero(np.searchsorted(bounds, moments_ns, side="right") % 2 == 1)


def _phases(history: History) -> Iterator[tuple[str, list[tuple[int, int]]]]:
    columns = history.columns
    times, texts = columns["time_ns"], columns["text"]
    strikes, ends = columns.rows(Kind.FAULT_BEGIN), columns.rows(Kind.FAULT_END)
    if not len(strikes):
        return
    yield "before", [(int(times[0]) - NEVER // 2, int(times[strikes[0]]))]
    for label in dict.fromkeys(texts[strikes].tolist()):
        began = times[strikes[texts[strikes] == label]].tolist()
        ended = times[ends[texts[ends] == label]]
        during, after = [], []
        for place, begin in enumerate(began):
            following = int(np.searchsorted(ended, begin))
            limit = began[place + 1] if place + 1 < len(began) else NEVER
            end = min(int(ended[following]) if following < len(ended) else NEVER, limit)
            during.append((begin, end))
            later = times[strikes[times[strikes] >= end]]
            after.append((end, int(later[0]) if len(later) else NEVER))
        yield f"during {history.text(label)}", during
        yield f"after {history.text(label)}", [span for span in after if span[0] < span[1]]


def _figures(history: History, groups: dict[str, Int64s]) -> Groups:
    """The figures of each group of jobs."""
    found: Groups = {name: {one.name: one for one in _counts(history, jobs)} for name, jobs in groups.items()}
    for duration in DURATIONS:
        took_ns, known = durations_ns(history, duration)
        for name, jobs in groups.items():
            found[name] |= {one.name: one for one in percentiles(duration, took_ns[jobs[known[jobs]]])}
    executions = history.executions
    for name, jobs in groups.items():
        mine = np.zeros(history.jobs.height, np.bool_)
        mine[jobs] = True
        ended = np.flatnonzero(mine[executions.job] & (executions.end_kind > 0))
        took_ns = executions.alive_ns[ended] - executions.begin_ns[ended]
        found[name] |= {one.name: one for one in percentiles("run_time", took_ns)}
    return found


def _counts(history: History, jobs: Int64s) -> Iterator[Metric]:
    tally = history.tally
    acknowledged, finished = tally.has(Kind.ENQUEUE_ACKNOWLEDGED)[jobs], tally.has(Kind.JOB_FINISHED)[jobs]
    running, completed = tally.count(Kind.JOB_RUNNING)[jobs], tally.completed_ns[jobs] != NEVER
    count, ran, executions = int(acknowledged.sum()), int((running > 0).sum()), int(running.sum(dtype=np.int64))
    failed = int(tally.count(Kind.JOB_FAILED)[jobs].sum(dtype=np.int64))
    duplicated = running > 1 + tally.count(Kind.JOB_RETRIED)[jobs]
    yield Metric("jobs.acknowledged", count, "jobs", count, "neither")
    yield Metric("jobs.completed", int(finished.sum()), "jobs", count, "higher")
    yield Metric("jobs.lost_or_stuck", int((acknowledged & ~completed).sum()), "jobs", count)
    yield Metric("jobs.duplicated", int(duplicated.sum()), "jobs", ran)
    yield Metric("attempts.mean", executions / ran if ran else None, "1", ran)
    yield Metric("error_rate", failed / executions if executions else None, "1", executions)
