"""How long jobs took: enqueue time, wait, run time and end-to-end latency, each in exact percentiles.

Wait and latency count from the *intended* arrival, so that a stalled producer cannot hide a stalled queue.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from jobharness.history.columns import NEVER, Int64s
from jobharness.history.event import Kind
from jobharness.history.frame import History
from jobharness.metrics.metric import Metric
from jobharness.metrics.percentile import percentiles

__all__ = ["DURATIONS", "THREADS", "durations_ns", "latencies", "run_times_ns"]

THREADS = 2
"""More would need more memory: each works on a copy of its values."""

DURATIONS = ("enqueue", "wait", "latency")


def latencies(history: History) -> Iterator[Metric]:
    """`enqueue.*`, `wait.*`, `latency.*` and `run_time.*`, in seconds. Jobs that never got that far are not in them."""
    # Putting in order leaves Python's lock alone.
    with ThreadPoolExecutor(THREADS) as pool:
        for metrics in pool.map(partial(_percentiles, history), (*DURATIONS, "run_time")):
            yield from metrics


def _percentiles(history: History, name: str) -> list[Metric]:
    took_ns = run_times_ns(history) if name == "run_time" else durations_ns(history, name)
    return list(percentiles(name, took_ns))


def run_times_ns(history: History) -> Int64s:
    """(n_executions,) ns of each execution; `NEVER` where no end was seen."""
    executions = history.executions
    took_ns = executions.alive_ns - executions.begin_ns
    np.putmask(took_ns, executions.end_kind == 0, NEVER)
    return took_ns


def durations_ns(history: History, name: str) -> Int64s:
    """(n_jobs,) ns of one of `DURATIONS`; `NEVER` where it is not known."""
    tally = history.tally
    if name == "enqueue":
        first, last = tally.first_ns(Kind.ENQUEUE_BEGIN), tally.first_ns(Kind.ENQUEUE_ACKNOWLEDGED)
    else:
        first, last = tally.intended_ns, tally.first_ns(Kind.JOB_RUNNING if name == "wait" else Kind.JOB_FINISHED)
    took_ns = last - first
    np.putmask(took_ns, (first == NEVER) | (last == NEVER), NEVER)
    return took_ns
