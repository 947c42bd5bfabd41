"""All metrics of a run."""

from __future__ import annotations

from jobharness.history.frame import History
from jobharness.metrics.cost import costs
from jobharness.metrics.delivery import deliveries
from jobharness.metrics.latency import latencies
from jobharness.metrics.metric import Metric
from jobharness.metrics.recovery import recoveries
from jobharness.metrics.schedule import schedules

__all__ = ["measure"]


def measure(history: History) -> dict[str, Metric]:
    """Every metric by name, in the order in which a report shows them."""
    found = [*deliveries(history), *latencies(history), *recoveries(history), *schedules(history), *costs(history)]
    return {metric.name: metric for metric in found}
