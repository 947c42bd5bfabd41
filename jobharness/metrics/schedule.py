"""Whether the producer kept its schedule: a run in which it could not says so."""

from __future__ import annotations

from collections.abc import Iterator

from jobharness.clock import NS_PER_S
from jobharness.history.event import Kind
from jobharness.history.frame import History
from jobharness.metrics.metric import Metric

__all__ = ["schedules"]


def schedules(history: History) -> Iterator[Metric]:
    """`producer.late` (sends more than 1 ms after their moment) and `producer.lateness.max`."""
    columns = history.columns
    late_ns = columns["value"][columns.rows(Kind.PRODUCER_LATE)]
    sent = int(columns["value"][columns.rows(Kind.PRODUCER_DONE)].sum())
    yield Metric("producer.late", len(late_ns), "jobs", sent)
    yield Metric("producer.lateness.max", int(late_ns.max(initial=0)) / NS_PER_S, "s", len(late_ns))
