"""What the jobs cost: processor time and memory of the workers, messages to the broker, calls to the upstream."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus

import numpy as np

from jobharness.clock import NS_PER_S
from jobharness.history.event import Kind
from jobharness.history.frame import History
from jobharness.metrics.metric import Metric

__all__ = ["costs"]


def costs(history: History) -> Iterator[Metric]:
    """`worker.*`, `log.bytes_per_job`, `broker.*` and `upstream.*`."""
    columns = history.columns
    ended = int((history.executions.end_kind > 0).sum())
    used = _used(history)
    cpu_ns = sum(used_ns for used_ns, _ in used)
    yield Metric("worker.cpu_per_job", cpu_ns / NS_PER_S / ended if ended and used else None, "s", ended)
    shares = [share for _, share in used if share is not None]
    yield Metric("worker.cpu_share.peak", max(shares, default=None), "1", len(shares))
    memory = columns["value"][columns.rows(Kind.RESOURCE_MEMORY)]
    yield Metric("worker.memory.peak", int(memory.max()) if len(memory) else None, "By", len(memory))
    logs = columns.rows(Kind.LOG_WRITTEN)
    yield Metric("log.bytes_per_job", int(columns["value"][logs].sum()) / ended if ended and len(logs) else None, "By", ended)
    yield from _broker(history)
    requests = columns.rows(Kind.UPSTREAM_REQUEST)
    answers = columns["value"][columns.rows(Kind.UPSTREAM_ANSWERED)]
    callers = len(np.unique(columns.jobs(Kind.UPSTREAM_REQUEST)))
    yield Metric("upstream.requests", len(requests), "1", len(requests), "neither")
    yield Metric("upstream.throttled", int((answers == HTTPStatus.TOO_MANY_REQUESTS).sum()), "1", len(answers))
    yield Metric("upstream.requests_per_job", len(requests) / callers if callers else None, "1", callers)


def _broker(history: History) -> Iterator[Metric]:
    """Messages and bytes per completed job, where the wire recorded every message."""
    columns = history.columns
    sizes = columns["value"][columns.rows(Kind.BROKER_MESSAGE)]
    completed = int(history.tally.has(Kind.JOB_FINISHED).sum())
    known = bool(completed and len(sizes))
    yield Metric("broker.round_trips_per_job", int((sizes > 0).sum()) / completed if known else None, "1", len(sizes))
    yield Metric("broker.bytes_per_job", int(np.abs(sizes).sum()) / completed if known else None, "By", len(sizes))


def _used(history: History) -> list[tuple[int, float | None]]:
    """Of each worker process: its processor time by its last sample, ns, and what share of one processor it used
    between its first and its last; None with one sample."""
    columns = history.columns
    rows = columns.rows(Kind.RESOURCE_CPU)
    found: list[tuple[int, float | None]] = []
    for process in np.unique(columns["group"][rows]):
        mine = rows[columns["group"][rows] == process]
        values, times = columns["value"][mine], columns["time_ns"][mine]
        lasted = int(times[-1] - times[0])
        found.append((int(values[-1]), int(values[-1] - values[0]) / lasted if lasted else None))
    return found
