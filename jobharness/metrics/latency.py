"""How long jobs took: enqueue time, wait, run time and end-to-end latency, each in exact percentiles.

Wait and latency count from the *intended* arrival, so that a stalled producer cannot hide a stalled queue.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from jobharness.clock import NS_PER_S
from jobharness.history.event import Kind
from jobharness.history.frame import History
from jobharness.metrics.metric import Metric

__all__ = ["PERCENTILES", "latencies"]

PERCENTILES = {"p50": 0.50, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}


def latencies(history: History) -> Iterator[Metric]:
    """`enqueue.*`, `wait.*`, `run_time.*` and `latency.*`, in seconds. Jobs that never got that far are not in them."""
    lives = history.lives
    columns = {
        "enqueue": (pl.col("acknowledged_ns") - pl.col("begun_ns")),
        "wait": (pl.col("running_ns") - pl.col("intended_ns")),
        "latency": (pl.col("finished_ns") - pl.col("intended_ns")),
    }
    for name, column in columns.items():
        yield from _percentiles(name, lives.select(column.alias("ns"))["ns"].drop_nulls())
    yield from _percentiles("run_time", _run_times_ns(history))


def _run_times_ns(history: History) -> pl.Series:
    """Of each execution that ended by itself: from `job.running` to the end that the same process recorded next."""
    ends = [int(kind) for kind in (Kind.JOB_FINISHED, Kind.JOB_FAILED, Kind.JOB_TIMED_OUT)]
    rows = history.of(Kind.JOB_RUNNING, Kind.JOB_FINISHED, Kind.JOB_FAILED, Kind.JOB_TIMED_OUT).sort("row")
    after = pl.struct("kind", "time_ns").shift(-1).over("job", "process")
    paired = rows.with_columns(after.alias("next")).filter(pl.col("kind") == int(Kind.JOB_RUNNING))
    ended = paired.filter(pl.col("next").struct.field("kind").is_in(ends))
    return ended.select(ns=pl.col("next").struct.field("time_ns") - pl.col("time_ns")).collect()["ns"]


def _percentiles(name: str, values_ns: pl.Series) -> Iterator[Metric]:
    for label, share in PERCENTILES.items():
        value = values_ns.quantile(share, interpolation="nearest") if len(values_ns) else None
        yield Metric(f"{name}.{label}", None if value is None else value / NS_PER_S, "s", len(values_ns))
