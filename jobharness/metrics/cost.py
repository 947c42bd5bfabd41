"""What the jobs cost: processor time and memory of the workers, calls to the upstream."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from jobharness.clock import NS_PER_S
from jobharness.history.event import Kind
from jobharness.history.frame import History
from jobharness.metrics.metric import Metric

__all__ = ["costs"]

TOO_MANY_REQUESTS = 429


def costs(history: History) -> Iterator[Metric]:
    """`worker.cpu_per_job`, `worker.memory.peak`, `log.bytes_per_job`, `upstream.requests`, `upstream.throttled` and
    `upstream.requests_per_job`."""
    columns = history.columns
    ended = int((history.executions.end_kind > 0).sum())
    yield Metric("worker.cpu_per_job", _cpu_ns(history) / NS_PER_S / ended if ended and _sampled(history) else None, "s", ended)
    memory = columns["value"][columns.rows(Kind.RESOURCE_MEMORY)]
    yield Metric("worker.memory.peak", int(memory.max()) if len(memory) else None, "By", len(memory))
    logs = columns.rows(Kind.LOG_WRITTEN)
    yield Metric("log.bytes_per_job", int(columns["value"][logs].sum()) / ended if ended and len(logs) else None, "By", ended)
    requests = columns.rows(Kind.UPSTREAM_REQUEST)
    answers = columns["value"][columns.rows(Kind.UPSTREAM_ANSWERED)]
    callers = len(np.unique(columns.jobs(Kind.UPSTREAM_REQUEST)))
    yield Metric("upstream.requests", len(requests), "1", len(requests), "neither")
    yield Metric("upstream.throttled", int((answers == TOO_MANY_REQUESTS).sum()), "1", len(answers))
    yield Metric("upstream.requests_per_job", len(requests) / callers if callers else None, "1", callers)


def _sampled(history: History) -> bool:
    return bool(len(history.columns.rows(Kind.RESOURCE_CPU)))


def _cpu_ns(history: History) -> int:
    """Processor time of all worker processes: of each its last sample."""
    columns = history.columns
    last = {int(columns["group"][row]): int(columns["value"][row]) for row in columns.rows(Kind.RESOURCE_CPU).tolist()}
    return sum(last.values())
