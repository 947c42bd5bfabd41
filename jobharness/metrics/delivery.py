"""What became of the jobs, in numbers: lost, duplicated, dead, attempts, errors, throughput, backlog."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from jobharness.clock import NS_PER_S
from jobharness.history.event import Kind
from jobharness.history.frame import History
from jobharness.metrics.metric import Metric

__all__ = ["deliveries"]


def deliveries(history: History) -> Iterator[Metric]:
    """`throughput`, `jobs.*`, `attempts.mean`, `error_rate` and `backlog.peak`."""
    lives = history.lives
    acknowledged = lives.filter(pl.col("acknowledged") > 0)
    ran = lives.filter(pl.col("running") > 0)
    done = lives.filter(pl.col("finished") > 0)
    count = acknowledged.height
    unfinished = acknowledged.filter((pl.col("finished") == 0) & (pl.col("dead") <= pl.col("worker_lost")))
    surplus = pl.col("running").cast(pl.Int64) - 1 - pl.col("retried").cast(pl.Int64)
    yield Metric("jobs.acknowledged", count, "jobs", count, "neither")
    yield Metric("jobs.completed", done.height, "jobs", count, "higher")
    yield Metric("jobs.lost", unfinished.filter(pl.col("held") == 0).height, "jobs", count)
    yield Metric("jobs.stuck", unfinished.filter(pl.col("held") > 0).height, "jobs", count)
    yield Metric("jobs.duplicated", ran.filter(surplus > 0).height, "jobs", ran.height)
    yield Metric("jobs.dead", lives.filter(pl.col("dead") > 0).height, "jobs", count)
    executions = int(lives["running"].sum())
    yield Metric("attempts.mean", executions / ran.height if ran.height else None, "1", ran.height)
    yield Metric("error_rate", int(lives["failed"].sum()) / executions if executions else None, "1", executions)
    yield _throughput(done)
    yield _peak_backlog(history)


def _throughput(done: pl.DataFrame) -> Metric:
    """Completed jobs per second, from the first intended arrival to the last completion."""
    spans = done.select(first=pl.col("intended_ns").min(), last=pl.col("finished_ns").max())
    first, last = spans.row(0)
    value = done.height / ((last - first) / NS_PER_S) if done.height and first is not None and last > first else None
    return Metric("throughput", value, "1/s", done.height, "higher")


def _peak_backlog(history: History) -> Metric:
    """The most jobs that were acknowledged and not yet begun at any moment."""
    first_runs = history.of(Kind.JOB_RUNNING).filter(pl.col("job").is_first_distinct())
    arrivals = history.of(Kind.ENQUEUE_ACKNOWLEDGED)
    steps = pl.concat([arrivals.select("row", step=pl.lit(1)), first_runs.select("row", step=pl.lit(-1))])
    peak = steps.sort("row").select(pl.col("step").cum_sum().max()).collect().item()
    return Metric("backlog.peak", peak, "jobs", history.lives.height)
