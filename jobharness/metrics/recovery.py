"""How soon what a fault hit was completed, and how long the queue took to drain."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from jobharness.clock import NS_PER_S
from jobharness.history.columns import NEVER
from jobharness.history.event import Kind
from jobharness.history.frame import History
from jobharness.metrics.metric import Metric

__all__ = ["recoveries"]


def recoveries(history: History) -> Iterator[Metric]:
    """`faults.strikes`, `faults.jobs_hit`, `recovery.p50`, `recovery.max` (of the jobs hit that were completed) and
    `drain`."""
    columns = history.columns
    strikes, hits = len(columns.rows(Kind.FAULT_BEGIN)), columns.rows_of_jobs(Kind.FAULT_HIT)
    # A job that had been completed before the strike has nothing to recover.
    done_ns = history.tally.completed_ns[columns["job"][hits]]
    known = done_ns != NEVER
    took_ns = np.sort(np.maximum(done_ns[known] - columns["time_ns"][hits[known]], 0))
    yield Metric("faults.strikes", strikes, "1", strikes, "neither")
    yield Metric("faults.jobs_hit", len(hits), "jobs", strikes, "neither")
    for name, share in (("recovery.p50", 0.5), ("recovery.max", 1.0)):
        value = int(took_ns[int((len(took_ns) - 1) * share + 0.5)]) / NS_PER_S if len(took_ns) else None
        yield Metric(name, value, "s", len(took_ns))
    yield _drain(history)


def _drain(history: History) -> Metric:
    """From the end of the workload to the last completion after it; 0 where all was done by then."""
    columns = history.columns
    done, finished = columns.rows(Kind.PRODUCER_DONE), columns.rows(Kind.JOB_FINISHED)
    if not len(done) or not len(finished):
        return Metric("drain", None, "s", 0)
    times = columns["time_ns"]
    return Metric("drain", max(0, int(times[finished[-1]] - times[done[-1]])) / NS_PER_S, "s", 1)
