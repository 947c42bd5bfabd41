"""Whether the producer kept its schedule: a run in which it could not says so."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from jobharness.clock import NS_PER_S
from jobharness.history.event import Kind
from jobharness.history.frame import History
from jobharness.metrics.metric import Metric

__all__ = ["schedules"]


def schedules(history: History) -> Iterator[Metric]:
    """`producer.late` (sends more than 1 ms after their moment) and `producer.lateness.max`."""
    late = history.of(Kind.PRODUCER_LATE).select(pl.col("value")).collect()["value"]
    sent = history.of(Kind.PRODUCER_DONE).select(pl.col("value").sum()).collect().item()
    latest: int = late.max() or 0  # type: ignore[assignment]  # polars types max() as any literal
    yield Metric("producer.late", len(late), "jobs", sent or 0)
    yield Metric("producer.lateness.max", latest / NS_PER_S, "s", len(late))
