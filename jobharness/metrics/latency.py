"""How long jobs took: enqueue time, wait, run time and end-to-end latency, each in exact percentiles.

Wait and latency count from the *intended* arrival, so that a stalled producer cannot hide a stalled queue.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from jobharness.history.columns import NEVER, Int64s
from jobharness.history.event import Kind
from jobharness.history.frame import History
from jobharness.metrics.metric import Metric
from jobharness.metrics.percentile import percentiles

__all__ = ["DURATIONS", "durations_ns", "latencies"]

DURATIONS = ("enqueue", "wait", "latency")


def latencies(history: History) -> Iterator[Metric]:
    """`enqueue.*`, `wait.*`, `latency.*` and `run_time.*`, in seconds. Jobs that never got that far are not in them."""
    for name in DURATIONS:
        took_ns, known = durations_ns(history, name)
        yield from percentiles(name, took_ns[known])
    executions = history.executions
    ended = executions.end_kind > 0
    yield from percentiles("run_time", (executions.alive_ns - executions.begin_ns)[ended])


def durations_ns(history: History, name: str) -> tuple[Int64s, np.ndarray]:
    """(n_jobs,) ns of one of `DURATIONS`, and (n_jobs,) bool: for which jobs it is known."""
    tally = history.tally
    if name == "enqueue":
        first, last = tally.first_ns(Kind.ENQUEUE_BEGIN), tally.first_ns(Kind.ENQUEUE_ACKNOWLEDGED)
    else:
        first, last = tally.intended_ns, tally.first_ns(Kind.JOB_RUNNING if name == "wait" else Kind.JOB_FINISHED)
    return last - first, (first != NEVER) & (last != NEVER)
