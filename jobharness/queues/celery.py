"""Celery, the harness's side: its worker command, and where its jobs are in a Redis broker (kombu/transport/redis.py)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from jobharness.brokers.broker import Broker
from jobharness.errors import InvalidRequest
from jobharness.history.event import Kind
from jobharness.queues.asking import asking_redis
from jobharness.queues.queue import App, Counts, Held
from jobharness.scenario.model import QueueSpec

__all__ = ["CeleryQueue"]

POOLS = ("prefork", "solo", "threads")
PRIORITY_SEPARATOR = "\x06\x16"
PRIORITY_STEPS = (0, 3, 6, 9)  # kombu's default priority_steps; the first has no suffix.


class CeleryQueue:
    """Celery workers by `celery -A APP worker`."""

    library = "celery"
    mishaps = True
    brokers = ("redis",)
    reports = frozenset(
        (
            Kind.ENQUEUE_BEGIN, Kind.ENQUEUE_ACKNOWLEDGED, Kind.ENQUEUE_NOT_BEFORE, Kind.ENQUEUE_PRIORITY, Kind.SCHEDULE_TICK,
            Kind.JOB_RECEIVED, Kind.JOB_RUNNING, Kind.JOB_FINISHED, Kind.JOB_FAILED, Kind.JOB_RETRIED, Kind.JOB_DEAD,
            Kind.JOB_REJECTED, Kind.JOB_TIMED_OUT, Kind.JOB_SETTLED, Kind.WORKER_READY, Kind.WORKER_STOPPING,
        )
    )  # fmt: skip

    def __init__(self, spec: QueueSpec) -> None:
        if spec.pool is not None and spec.pool not in POOLS:
            raise InvalidRequest(f"queue.pool: Celery has the pools {', '.join(POOLS)}, not {spec.pool!r}")
        if spec.pool == "solo" and spec.concurrency not in (None, 1):
            raise InvalidRequest("queue.concurrency: the solo pool runs one job at a time; leave it out or use another pool")
        self._spec = spec

    def worker_command(self, python: Path, name: str) -> list[str]:
        """`celery -A APP worker`, with the node's name, pool and concurrency."""
        script = python.parent / "celery"
        celery = [str(script)] if script.exists() else [str(python), "-m", "celery"]
        command = [*celery, "-A", self._spec.app, "worker", "--hostname", f"{name}@%h", "--loglevel", "INFO"]
        if self._spec.pool is not None:
            command += ["--pool", self._spec.pool]
        if self._spec.concurrency is not None:
            command += ["--concurrency", str(self._spec.concurrency)]
        return [*command, *self._spec.arguments]

    def agent_library(self) -> str:
        """The module jobharness.agent.libraries.celery."""
        return "celery"

    def counts(self, broker: Broker, app: App) -> Counts:
        """Waiting: the queue's lists. Running: delivered and not acknowledged (prefetched and delayed jobs are among them)."""
        client = broker.client()
        with asking_redis(), client.pipeline(transaction=False) as pipeline:
            for name in _lists(app):
                pipeline.llen(name)
            pipeline.hlen("unacked")
            *waiting, unacked = pipeline.execute()
        return Counts(waiting=sum(waiting), running=unacked)

    def held(self, broker: Broker, app: App) -> Iterable[Held]:
        """The messages in the queue's lists and in the hash of unacknowledged ones."""
        client = broker.client()
        with asking_redis():
            for name in _lists(app):
                yield from (_held(raw, f"waiting in the list {name!r}") for raw in client.lrange(name, 0, -1))
            # The value is [message, exchange, routing key] (kombu Channel.QoS.append).
            for raw in client.hvals("unacked"):
                yield _held(json.dumps(json.loads(raw)[0]), "delivered, not acknowledged (in the hash 'unacked')")


def _lists(app: App) -> Iterator[str]:
    queue = app.settings.get("task_default_queue") or "celery"
    for step in PRIORITY_STEPS:
        yield f"{queue}{PRIORITY_SEPARATOR}{step}" if step else queue


def _held(raw: bytes | str, where: str) -> Held:
    return Held(json.loads(raw)["headers"]["id"], where)
