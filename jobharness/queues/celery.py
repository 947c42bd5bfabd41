"""Celery, the harness's side: its worker command, and where its jobs are in each kind of broker."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from jobharness.brokers.broker import Broker, MessageQueues
from jobharness.errors import InvalidRequest
from jobharness.history.event import Kind
from jobharness.queues.asking import ask_sql, asking_redis
from jobharness.queues.connections import amqp_terms
from jobharness.queues.queue import Advice, App, Counts, Held, LeaseTerms
from jobharness.scenario.model import QueueSpec

__all__ = ["CeleryQueue"]

AT_ONCE_S = 3.0  # What is redelivered when a connection ends takes no sweep, only a moment.
KOMBU_LEASE = {"visibility_timeout": 3600, "unacked_restore_interval": 10, "unacked_restore_throttle": 10}
POOLS = ("prefork", "solo", "threads")
PRIORITY_SEPARATOR = "\x06\x16"
PRIORITY_STEPS = (0, 3, 6, 9)  # kombu's default priority_steps; the first has no suffix.


class CeleryQueue:
    """Celery workers by `celery -A APP worker`."""

    library = "celery"
    mishaps = True
    preload = (
        "celery.bin.celery", "celery.bin.worker", "celery.apps.worker", "celery.worker.consumer", "celery.worker.strategy",
        "celery.worker.control", "celery.concurrency.prefork", "celery.concurrency.solo", "celery.concurrency.thread",
        "celery.app.trace", "celery.app.amqp", "celery.app.control", "celery.app.events", "celery.app.log", "celery.loaders.app",
        "celery.events", "celery.fixups.django", "celery.backends.base", "kombu.transport.redis", "kombu.transport.pyamqp",
        "celery.worker.autoscale", "celery.worker.components", "kombu.pools", "kombu.serialization", "billiard.heap",
        "billiard.pool", "billiard.popen_fork", "billiard.queues", "billiard.sharedctypes", "billiard.synchronize",
    )  # fmt: skip
    brokers = ("redis", "rabbitmq", "sqlite")
    shapes = {"chain": "`chain`", "group": "`group`", "chord": "`chord`, with a result backend"}
    ticks = "its key in `beat_schedule`"
    # What its messages look like on the wire (kombu/transport/redis.py: BRPOP, then a transaction to note and one to forget).
    steps = {
        "redis": {"take": "reply BRPOP", "note": "EXEC has=HSET", "ack": "EXEC has=HDEL"},
        "rabbitmq": {"take": "reply basic.deliver", "ack": "basic.ack"},
        "sqlite": {"take": "UPDATE has=kombu_message"},
    }
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

    def _celery(self, python: Path) -> list[str]:
        script = python.parent / "celery"
        return [*([str(script)] if script.exists() else [str(python), "-m", "celery"]), "-A", self._spec.app]

    def scheduler_command(self, python: Path, name: str) -> list[str]:
        """`celery -A APP beat`, with a schedule file of its own and no pid file: several may run side by side."""
        return [*self._celery(python), "beat", "--loglevel", "INFO", "--pidfile=", "--schedule", f"{{run.folder}}/{name}"]

    def worker_command(self, python: Path, name: str) -> list[str]:
        """`celery -A APP worker`, with the node's name, pool and concurrency."""
        command = [*self._celery(python), "worker", "--hostname", f"{name}@%h", "--loglevel", "INFO"]
        if self._spec.pool is not None:
            command += ["--pool", self._spec.pool]
        if self._spec.concurrency is not None:
            command += ["--concurrency", str(self._spec.concurrency)]
        return [*command, *self._spec.arguments]

    def advice(self, broker: str) -> Sequence[Advice]:
        """What https://docs.celeryq.dev/en/stable/userguide/configuration.html says of acknowledging, and of Redis' leases."""
        late = {"task_acks_late": True}
        found = [
            Advice("late acknowledgement", "a job is acknowledged once it is done; a crash then runs it twice", late),
            Advice(
                "late acknowledgement, rejected on worker loss",
                "a child that is killed alone gives its job back, too; a job that kills its worker then comes back for ever",
                {**late, "task_reject_on_worker_lost": True},
            ),
            Advice(
                "late acknowledgement, nothing prefetched",
                "no job waits in the hands of a busy worker; one more trip to the broker for each job",
                {**late, "worker_prefetch_multiplier": 1},
            ),
        ]
        lease = {
            "broker_transport_options": {"visibility_timeout": 60, "unacked_restore_interval": 1, "unacked_restore_throttle": 1}
        }
        why = "jobs of a dead worker are back within a minute; one that runs for longer is run twice"
        return [*found, *([Advice("late acknowledgement, a short lease", why, {**late, **lease})] if broker == "redis" else [])]

    def agent_library(self) -> str:
        """The module jobharness.agent.libraries.celery."""
        return "celery"

    def recovers_within_s(self, broker: str, app: App) -> float:
        """On Redis, a lease, and the sweep for those that ran out: kombu looks at every `unacked_restore_throttle`-th tick of
        `unacked_restore_interval` seconds (kombu/transport/redis.py). RabbitMQ has the jobs of a closed connection back at once.
        """
        if broker == "rabbitmq":
            return AT_ONCE_S
        if broker != "redis":
            return math.inf
        options = _options(app)
        interval_s, throttle = float(options["unacked_restore_interval"]), int(options["unacked_restore_throttle"])
        return float(options["visibility_timeout"]) + interval_s * (throttle + 1)

    def shortened(self, broker: str, app: App, lease_s: float) -> dict[str, Any]:
        """A shorter visibility timeout, and a sweep every second."""
        if broker != "redis" or float(_options(app)["visibility_timeout"]) <= lease_s:
            return {}
        options = {"visibility_timeout": math.ceil(lease_s), "unacked_restore_interval": 1, "unacked_restore_throttle": 1}
        return {"broker_transport_options": options}

    def lease(self, broker: str, app: App) -> LeaseTerms:
        """On Redis the visibility timeout, from delivery on; nothing renews it. RabbitMQ hands a message out again when its
        connection ends: by two missed heartbeats, which a busy solo worker misses too, or by the broker's consumer_timeout."""
        if broker == "redis":
            options = _options(app)
            lasts_s = float(options["visibility_timeout"])
            found_s = self.recovers_within_s(broker, app) - lasts_s
            return LeaseTerms(
                "a visibility timeout, from delivery on",
                "broker_transport_options.visibility_timeout",
                lasts_s,
                found_s,
            )
        if broker == "rabbitmq":
            own_s = float(app.settings.get("broker_heartbeat") or 0)
            return amqp_terms(own_s, "broker_heartbeat" if own_s else "")
        return LeaseTerms("a delivered message turns invisible, and nothing ever shows it again")

    def heartbeat(self, broker: str, app: App, lease_s: float) -> dict[str, Any]:
        """On RabbitMQ, heartbeats with which a silent connection has ended after `lease_s`."""
        heartbeat_s = max(2, math.floor(lease_s / 3))
        if broker != "rabbitmq" or 0 < float(app.settings.get("broker_heartbeat") or 0) <= heartbeat_s:
            return {}
        return {"broker_heartbeat": heartbeat_s}

    def counts(self, broker: Broker, app: App) -> Counts:
        """Waiting: in its queues. Running: delivered and not acknowledged (prefetched and delayed jobs are among them)."""
        return _STORES[broker.kind].counts(broker, _queues(app))

    def held(self, broker: Broker, app: App) -> Iterable[Held]:
        """The messages in the app's queues, and those delivered and not acknowledged where the broker can list them."""
        return _STORES[broker.kind].held(broker, _queues(app))


def _options(app: App) -> dict[str, Any]:
    """Of the transport, kombu's own where the app has none."""
    return {**KOMBU_LEASE, **(app.settings.get("broker_transport_options") or {})}


def _queues(app: App) -> list[str]:
    return list(app.settings.get("queues") or [app.settings.get("task_default_queue") or "celery"])


class _Store(Protocol):
    """Where kombu keeps messages in one kind of broker."""

    def counts(self, broker: Broker, queues: Sequence[str]) -> Counts: ...
    def held(self, broker: Broker, queues: Sequence[str]) -> Iterator[Held]: ...


class _Redis:
    """Lists, one per priority step, and a hash of unacknowledged messages (kombu/transport/redis.py)."""

    def counts(self, broker: Broker, queues: Sequence[str]) -> Counts:
        client = broker.client()
        with asking_redis(), client.pipeline(transaction=False) as pipeline:
            for name in _lists(queues):
                pipeline.llen(name)
            pipeline.hlen("unacked")
            *waiting, unacked = pipeline.execute()
        return Counts(waiting=sum(waiting), running=unacked)

    def held(self, broker: Broker, queues: Sequence[str]) -> Iterator[Held]:
        client = broker.client()
        with asking_redis():
            for name in _lists(queues):
                yield from (_held(raw, f"waiting in the list {name!r}") for raw in client.lrange(name, 0, -1))
            # The value is [message, exchange, routing key] (kombu Channel.QoS.append).
            for raw in client.hvals("unacked"):
                yield _held(json.dumps(json.loads(raw)[0]), "delivered, not acknowledged (in the hash 'unacked')")


class _Rabbitmq:
    """AMQP queues. A message that is delivered and not acknowledged cannot be listed until its worker's connection ends."""

    def counts(self, broker: Broker, queues: Sequence[str]) -> Counts:
        assert isinstance(broker, MessageQueues)
        totals = [total for name, total in broker.queue_totals().items() if name in queues]
        return Counts(waiting=sum(total.ready for total in totals), running=sum(total.unacknowledged or 0 for total in totals))

    def held(self, broker: Broker, queues: Sequence[str]) -> Iterator[Held]:
        assert isinstance(broker, MessageQueues)
        for name in sorted(set(queues) & set(broker.queue_totals())):
            for message in broker.waiting(name):
                yield Held(message.headers["id"], f"waiting in the queue {name!r}")


class _Sqlite:
    """A table of messages (kombu/transport/sqlalchemy): a delivered one turns invisible, and nothing ever brings it back."""

    def counts(self, broker: Broker, queues: Sequence[str]) -> Counts:
        return Counts(waiting=sum(1 for _ in self.held(broker, queues)))

    def held(self, broker: Broker, queues: Sequence[str]) -> Iterator[Held]:
        if not ask_sql(broker, "SELECT 1 FROM sqlite_master WHERE name = 'kombu_message'"):
            return
        rows = ask_sql(
            broker,
            "SELECT queue.name, payload FROM kombu_message AS message JOIN kombu_queue AS queue ON queue.id = queue_id "
            "WHERE visible ORDER BY message.id",
        )
        for name, payload in rows:
            if name in queues:
                yield _held(payload, f"waiting in the table 'kombu_message' (queue {name!r})")


_STORES: dict[str, _Store] = {"redis": _Redis(), "rabbitmq": _Rabbitmq(), "sqlite": _Sqlite()}


def _lists(queues: Sequence[str]) -> Iterator[str]:
    for queue in queues:
        for step in PRIORITY_STEPS:
            yield f"{queue}{PRIORITY_SEPARATOR}{step}" if step else queue


def _held(raw: bytes | str, where: str) -> Held:
    return Held(json.loads(raw)["headers"]["id"], where)
