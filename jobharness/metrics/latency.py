"""How long jobs took: enqueue time, wait, run time and end-to-end latency, each in exact percentiles.

Wait and latency count from the *intended* arrival, so that a stalled producer cannot hide a stalled queue.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from jobharness.history.columns import NEVER, Int64s
from jobharness.history.event import Kind
from jobharness.history.frame import History
from jobharness.history.slices import slices
from jobharness.metrics.metric import Metric
from jobharness.metrics.percentile import percentiles

__all__ = ["DURATIONS", "durations_ns", "latencies", "run_times_ns"]

UNTIL = {"enqueue": Kind.ENQUEUE_ACKNOWLEDGED, "wait": Kind.JOB_RUNNING, "latency": Kind.JOB_FINISHED}
DURATIONS = tuple(UNTIL)


def latencies(name: str, history: History) -> Iterator[Metric]:
    """The percentiles of one of `DURATIONS` or of "run_time", in seconds. Jobs that never got that far are not in them."""
    return percentiles(name, run_times_ns(history) if name == "run_time" else durations_ns(history, name))


def run_times_ns(history: History) -> Int64s:
    """(n_executions,) ns of each execution; `NEVER` where no end was seen."""
    executions = history.executions
    took_ns = executions.alive_ns - executions.begin_ns
    np.putmask(took_ns, executions.end_kind == 0, NEVER)
    return took_ns


def durations_ns(history: History, name: str) -> Int64s:
    """(n_jobs,) ns of one of `DURATIONS`; `NEVER` where it is not known."""
    tally, took_ns = history.tally, np.empty(history.jobs.height, np.int64)
    since_ns = tally.first_in(Kind.ENQUEUE_BEGIN) if name == "enqueue" else tally.intended_ns.__getitem__
    until_ns = tally.first_in(UNTIL[name])
    for some in slices(len(took_ns)):
        since, until = since_ns(some), until_ns(some)
        np.subtract(until, since, out=took_ns[some])
        np.putmask(took_ns[some], (since == NEVER) | (until == NEVER), NEVER)
    return took_ns
