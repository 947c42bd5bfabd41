"""What became of the jobs, in numbers: lost, duplicated, dead, attempts, errors, throughput, backlog."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from jobharness.clock import NS_PER_S
from jobharness.history.columns import NEVER, NO_ROW
from jobharness.history.event import Kind
from jobharness.history.frame import History
from jobharness.metrics.metric import Metric

__all__ = ["deliveries"]

SLICE = 2**20


def deliveries(history: History) -> Iterator[Metric]:
    """`throughput`, `jobs.*`, `attempts.mean`, `error_rate` and `backlog.peak`."""
    tally = history.tally
    acknowledged = tally.has(Kind.ENQUEUE_ACKNOWLEDGED)
    running, finished = tally.count(Kind.JOB_RUNNING), tally.has(Kind.JOB_FINISHED)
    count, ran = int(acknowledged.sum()), int((running > 0).sum())
    unfinished = acknowledged & (tally.completed_ns == NEVER)
    held = tally.has(Kind.JOB_HELD)
    duplicated = (running > 1 + tally.count(Kind.JOB_RETRIED)) | (tally.count(Kind.JOB_FINISHED) > 1)
    yield Metric("jobs.acknowledged", count, "jobs", count, "neither")
    yield from _unacknowledged(history)
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


def _unacknowledged(history: History) -> Iterator[Metric]:
    """What was sent and never acknowledged. Sends of which no job is known count, too: by a service, or by a call that raised
    before there was an id."""
    tally, columns = history.tally, history.columns
    begun, acknowledged = tally.has(Kind.ENQUEUE_BEGIN), tally.has(Kind.ENQUEUE_ACKNOWLEDGED)
    refused = tally.has(Kind.ENQUEUE_REFUSED) & ~acknowledged
    nameless = {
        kind: len(columns.rows(kind)) - len(columns.rows_of_jobs(kind)) for kind in (Kind.ENQUEUE_REFUSED, Kind.ENQUEUE_UNKNOWN)
    }
    sends = int(begun.sum()) + sum(nameless.values())
    unknown = int((begun & ~acknowledged & ~refused).sum()) + nameless[Kind.ENQUEUE_UNKNOWN]
    yield Metric("jobs.refused", int(refused.sum()) + nameless[Kind.ENQUEUE_REFUSED], "jobs", sends)
    yield Metric("jobs.unknown", unknown, "jobs", sends)


def _throughput(history: History) -> Metric:
    """Completed jobs per second, from the first intended arrival to the last completion."""
    finished_ns, intended_ns = history.tally.first_ns(Kind.JOB_FINISHED), history.tally.intended_ns
    done = finished_ns != NEVER
    count = int(done.sum())
    last_ns, first_ns = finished_ns.max(where=done, initial=0), intended_ns.min(where=done, initial=NEVER)
    span_ns = int(last_ns) - int(first_ns)
    return Metric("throughput", count / (span_ns / NS_PER_S) if span_ns > 0 else None, "1/s", count, "higher")


def _peak_backlog(history: History) -> Metric:
    """The most jobs that were acknowledged and not yet begun at any moment."""
    first_run, steps = history.tally.row("first", Kind.JOB_RUNNING), np.zeros(len(history), np.int8)
    steps[first_run[first_run != NO_ROW]] = -1
    steps[history.columns.rows_of_jobs(Kind.ENQUEUE_ACKNOWLEDGED)] = 1
    return Metric("backlog.peak", _highest(steps) if len(history) else None, "jobs", history.jobs.height)


def _highest(steps: npt.NDArray[np.int8]) -> int:
    """The highest that the running total of `steps` comes to, 0 at least; in little memory."""
    total = highest = 0
    for start in range(0, len(steps), SLICE):
        totals = np.cumsum(steps[start : start + SLICE], dtype=np.int32)
        highest, total = max(highest, total + int(totals.max())), total + int(totals[-1])
    return highest
