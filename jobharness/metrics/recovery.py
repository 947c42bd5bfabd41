"""How soon what a fault hit was completed, and how long the queue took to drain."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

import numpy as np

from jobharness.clock import NS_PER_S
from jobharness.history.columns import NEVER
from jobharness.history.event import Kind
from jobharness.history.frame import History
from jobharness.metrics.metric import Metric

__all__ = ["recoveries"]


def recoveries(history: History) -> Iterator[Metric]:
    """`faults.strikes`, `faults.jobs_hit`, `recovery.never`, `recovery.p50`, `recovery.max` and `drain`.

    A job that was hit and never completed took for ever: it counts in the percentiles as the slowest.
    """
    columns = history.columns
    strikes, hits = len(columns.rows(Kind.FAULT_BEGIN)), columns.rows_of_jobs(Kind.FAULT_HIT)
    # A job that had been completed before the strike has nothing to recover.
    done_ns = history.tally.completed_ns[columns.jobs(Kind.FAULT_HIT)]
    never = done_ns == NEVER
    took_ns = np.sort(np.where(never, NEVER, np.maximum(done_ns - columns["time_ns"][hits], 0)))
    count = len(took_ns)
    yield Metric("faults.strikes", strikes, "1", strikes, "neither")
    yield Metric("faults.jobs_hit", count, "jobs", strikes, "neither")
    yield Metric("recovery.never", int(never.sum()) if count else None, "jobs", count)
    for name, share in (("recovery.p50", 0.5), ("recovery.max", 1.0)):
        yield Metric(name, _seconds(int(took_ns[int((count - 1) * share + 0.5)])) if count else None, "s", count)
    yield _drain(history)


def _seconds(took_ns: int) -> float:
    return inf if took_ns == NEVER else took_ns / NS_PER_S


def _drain(history: History) -> Metric:
    """From the end of the workload to the last completion after it; 0 where all was done by then."""
    columns = history.columns
    done, finished = columns.rows(Kind.PRODUCER_DONE), columns.rows(Kind.JOB_FINISHED)
    if not len(done) or not len(finished):
        return Metric("drain", None, "s", 0)
    times = columns["time_ns"]
    return Metric("drain", max(0, int(times[finished[-1]] - times[done[-1]])) / NS_PER_S, "s", 1)
