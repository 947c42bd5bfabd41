"""The metrics of a run as Prometheus reads them: live while it goes on, and as a text file when it is over.

Live ones say what an exporter of a queue would (workers, backlog, the oldest waiting job, failures, dead letters,
memory); the alarms are written on them. Final ones have the names of the table in docs/metrics.md.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, start_http_server, write_to_textfile
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from jobharness.history.event import Kind
from jobharness.history.follow import News
from jobharness.integrations.waiting import Waiting
from jobharness.metrics.metric import Metric
from jobharness.metrics.names import DEFINITIONS

__all__ = ["LiveMetrics", "write_textfile"]

COUNTED = {
    Kind.ENQUEUE_ACKNOWLEDGED: "jobharness_jobs_enqueued",
    Kind.JOB_RUNNING: "jobharness_executions",
    Kind.JOB_FINISHED: "jobharness_executions_finished",
    Kind.JOB_FAILED: "jobharness_executions_failed",
    Kind.JOB_RETRIED: "jobharness_jobs_retried",
    Kind.JOB_DEAD: "jobharness_jobs_dead",
}
RESOURCES = {
    Kind.RESOURCE_MEMORY: "jobharness_worker_memory_bytes",
    Kind.RESOURCE_MEMORY_LIMIT: "jobharness_worker_memory_limit_bytes",
}


class LiveMetrics(Collector):
    """Counts events as they are recorded; a scrape reads the counts. Memory grows with the jobs that wait.

    `queue`: the label that every metric has. `wanted`: how many workers there should be.
    """

    def __init__(self, queue: str, wanted: int) -> None:
        self._queue, self._wanted = queue, wanted
        self._ready: set[str] = set()
        self._whole = False  # Whether all were ready once: a fleet that still starts lacks nobody.
        self._waiting = Waiting()
        self._counts = dict.fromkeys(COUNTED, 0)
        self._resources: dict[tuple[Kind, str], int] = {}

    def see(self, news: Sequence[News]) -> None:
        """Count."""
        for one in news:
            if one.kind in COUNTED:
                self._counts[one.kind] += 1
            self._waiting.see(one)
            if one.kind is Kind.WORKER_READY:
                self._ready.add(one.name)
                self._whole = self._whole or len(self._ready) >= self._wanted
            elif one.kind is Kind.WORKER_EXITED:
                self._ready.discard(one.text)
                for kind in RESOURCES:
                    self._resources.pop((kind, one.text), None)
            elif one.kind in RESOURCES:
                self._resources[one.kind, one.text] = one.value

    def collect(self) -> Iterator[Any]:
        """For prometheus-client, in a thread of its own."""
        yield self._gauge(
            "jobharness_workers_wanted", "Workers that should run", self._wanted if self._whole else len(self._ready)
        )
        yield self._gauge("jobharness_workers_ready", "Workers that take jobs", len(self._ready))
        yield self._gauge("jobharness_jobs_waiting", "Jobs acknowledged and not yet taken", len(self._waiting))
        yield self._gauge("jobharness_oldest_waiting_seconds", "Age of the oldest of them", self._waiting.oldest_s)
        for kind, name in COUNTED.items():
            family = CounterMetricFamily(name, f"Events {kind.name_}", labels=["queue"])
            family.add_metric([self._queue], self._counts[kind])
            yield family
        resources = dict(self._resources)
        for kind, name in RESOURCES.items():
            gauge = GaugeMetricFamily(name, f"As sampled: {kind.name_}", labels=["queue", "worker"])
            for (sampled, worker), value in resources.items():
                if sampled is kind:
                    gauge.add_metric([self._queue, worker], value)
            yield gauge

    def _gauge(self, name: str, said: str, value: float) -> GaugeMetricFamily:
        family = GaugeMetricFamily(name, said, labels=["queue"])
        family.add_metric([self._queue], value)
        return family

    def serve(self) -> tuple[int, Any]:
        """Serve `/metrics` on a free loopback port, in a thread. Returns the port, and what `shutdown()` ends."""
        registry = CollectorRegistry()
        registry.register(self)
        server, _ = start_http_server(0, addr="127.0.0.1", registry=registry)
        return int(server.server_port), server


def write_textfile(metrics: Mapping[str, Metric], path: Path, labels: Mapping[str, str]) -> None:
    """Write the final metrics for node_exporter's textfile collector. A metric without a value is left out.

    If it fails nothing is written.
    """
    registry = CollectorRegistry()
    gauges: dict[str, Gauge] = {}
    for definition in DEFINITIONS:
        published = re.sub(r"[^a-zA-Z0-9_]", "_", definition.published)
        for name in definition.names:
            metric = metrics.get(name)
            if metric is None or metric.value is None or math.isnan(metric.value):
                continue
            gauge = gauges.get(published)
            if gauge is None:
                gauge = Gauge(published, definition.meaning, [*labels, "stat"], registry=registry)
                gauges[published] = gauge
            stat = name.partition(".")[2] if definition.name.endswith("*") else ""
            gauge.labels(*labels.values(), stat).set(metric.value)
    write_to_textfile(str(path), registry)
