"""All metrics of a run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

from jobharness.history.frame import History
from jobharness.metrics.cost import costs
from jobharness.metrics.delivery import deliveries
from jobharness.metrics.latency import DURATIONS, latencies
from jobharness.metrics.metric import Metric
from jobharness.metrics.recovery import recoveries
from jobharness.metrics.schedule import schedules

__all__ = ["THREADS", "measure"]

THREADS = 2
"""More would need more memory: each works on a copy of its values."""

KINDS = (deliveries, *(partial(latencies, name) for name in (*DURATIONS, "run_time")), recoveries, schedules, costs)


def measure(history: History) -> dict[str, Metric]:
    """Every metric by name, in the order in which a report shows them."""
    # Most of it is arithmetic over large arrays, which leaves Python's lock alone.
    with ThreadPoolExecutor(THREADS) as pool:
        found = pool.map(lambda kind: list(kind(history)), KINDS)
    return {metric.name: metric for metrics in found for metric in metrics}
