"""What became of the jobs, in numbers: lost, duplicated, dead, attempts, errors, throughput, backlog."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from jobharness.clock import NS_PER_S
from jobharness.history.columns import NEVER
from jobharness.history.event import Kind
from jobharness.history.frame import History
from jobharness.metrics.metric import Metric

__all__ = ["deliveries"]


def deliveries(history: History) -> Iterator[Metric]:
    """`throughput`, `jobs.*`, `attempts.mean`, `error_rate` and `backlog.peak`."""
    tally = history.tally
    acknowledged = tally.count(Kind.ENQUEUE_ACKNOWLEDGED) > 0
    running, finished = tally.count(Kind.JOB_RUNNING), tally.count(Kind.JOB_FINISHED) > 0
    count, ran = int(acknowledged.sum()), int((running > 0).sum())
    unfinished = acknowledged & (tally.completed_ns == NEVER)
    held = tally.count(Kind.JOB_HELD) > 0
    duplicated = running > 1 + tally.count(Kind.JOB_RETRIED)
    yield Metric("jobs.acknowledged", count, "jobs", count, "neither")
    yield Metric("jobs.completed", int(finished.sum()), "jobs", count, "higher")
    yield Metric("jobs.lost", int((unfinished & ~held).sum()), "jobs", count)
    yield Metric("jobs.stuck", int((unfinished & held).sum()), "jobs", count)
    yield Metric("jobs.duplicated", int(duplicated.sum()), "jobs", ran)
    yield Metric("jobs.dead", int((tally.count(Kind.JOB_DEAD) > 0).sum()), "jobs", count)
    executions = int(running.sum(dtype=np.int64))
    failed = len(history.columns.rows_of_jobs(Kind.JOB_FAILED))
    yield Metric("attempts.mean", executions / ran if ran else None, "1", ran)
    yield Metric("error_rate", failed / executions if executions else None, "1", executions)
    yield _throughput(history)
    yield _peak_backlog(history)


def _throughput(history: History) -> Metric:
    """Completed jobs per second, from the first intended arrival to the last completion."""
    finished_ns, intended_ns = history.tally.first_ns(Kind.JOB_FINISHED), history.tally.intended_ns
    done = finished_ns != NEVER
    count = int(done.sum())
    span_ns = int(finished_ns[done].max()) - int(intended_ns[done].min()) if count else 0
    return Metric("throughput", count / (span_ns / NS_PER_S) if span_ns > 0 else None, "1/s", count, "higher")


def _peak_backlog(history: History) -> Metric:
    """The most jobs that were acknowledged and not yet begun at any moment."""
    executions, columns = history.executions, history.columns
    first_run = np.full(history.jobs.height, -1, np.int64)
    first_run[executions.job[::-1]] = executions.row[::-1]
    steps = np.zeros(len(history), np.int8)
    steps[first_run[first_run >= 0]] = -1
    steps[columns.rows_of_jobs(Kind.ENQUEUE_ACKNOWLEDGED)] = 1
    peak = int(np.cumsum(steps, dtype=np.int32).max(initial=0)) if len(history) else None
    return Metric("backlog.peak", peak, "jobs", history.jobs.height)
