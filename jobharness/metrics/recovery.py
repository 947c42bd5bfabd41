"""How soon what a fault hit was completed, and how long the queue took to drain."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from jobharness.clock import NS_PER_S
from jobharness.history.event import Kind
from jobharness.history.frame import History
from jobharness.metrics.metric import Metric

__all__ = ["recoveries"]


def recoveries(history: History) -> Iterator[Metric]:
    """`faults.strikes`, `faults.jobs_hit`, `recovery.p50`, `recovery.max` (of the jobs hit that were completed) and `drain`."""
    strikes = history.of(Kind.FAULT_BEGIN).collect().height
    hits = history.of(Kind.FAULT_HIT).filter(pl.col("job").is_not_null()).sort("time_ns")
    ends = history.of(Kind.JOB_FINISHED).filter(pl.col("job").is_not_null())
    took = (
        hits.join_asof(
            ends.select("job", "time_ns", end_ns="time_ns").sort("time_ns"),
            on="time_ns",
            by="job",
            strategy="forward",
            check_sortedness=False,
        )
        .select(ns=pl.col("end_ns") - pl.col("time_ns"))
        .collect()["ns"]
    )
    known = took.drop_nulls()
    yield Metric("faults.strikes", strikes, "1", strikes, "neither")
    yield Metric("faults.jobs_hit", len(took), "jobs", strikes, "neither")
    for name, share in (("recovery.p50", 0.5), ("recovery.max", 1.0)):
        value = known.quantile(share, interpolation="nearest") if len(known) else None
        yield Metric(name, None if value is None else value / NS_PER_S, "s", len(known))
    yield _drain(history)


def _drain(history: History) -> Metric:
    """From the end of the workload to the last completion after it; 0 where all was done by then."""
    done = history.of(Kind.PRODUCER_DONE).select(pl.col("time_ns").max()).collect().item()
    last = history.of(Kind.JOB_FINISHED).select(pl.col("time_ns").max()).collect().item()
    if done is None or last is None:
        return Metric("drain", None, "s", 0)
    return Metric("drain", max(0, last - done) / NS_PER_S, "s", 1)
