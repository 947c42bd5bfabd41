"""Dramatiq, the harness's side: its worker command, and where its messages are.

In Redis (dramatiq/brokers/redis/dispatch.lua) a queue is a list of message ids and a hash of messages: what is in the hash and
not in the list is in a worker's hands. QUEUE.DQ is the same for delayed messages, QUEUE.XQ for dead ones. In RabbitMQ these are
three queues.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from jobharness.brokers.broker import Broker, MessageQueues, QueueTotals
from jobharness.errors import InvalidRequest
from jobharness.history.event import Kind
from jobharness.queues.asking import asking_redis, check_settings
from jobharness.queues.connections import amqp_terms
from jobharness.queues.queue import Advice, App, Counts, Held, LeaseTerms
from jobharness.scenario.model import QueueSpec

__all__ = ["DramatiqQueue"]

AT_ONCE_S = 3.0  # What is redelivered when a connection ends takes no sweep, only a moment.
IDLE_FETCH_S = 1.0  # The longest pause of an idle consumer: its worker_timeout.
POOLS = ("threads", "processes")
SETTINGS = (
    "heartbeat_timeout", "maintenance_chance", "dead_message_ttl", "max_retries", "min_backoff", "max_backoff", "time_limit",
    "max_age", "queue_prefetch", "delay_prefetch",
)  # fmt: skip
NOTHING = QueueTotals(0, 0)


class DramatiqQueue:
    """Dramatiq workers by `dramatiq APP`: one process per core with eight threads each, where the scenario says nothing else."""

    library = "dramatiq"
    mishaps = True
    brokers = ("redis", "rabbitmq")
    shapes = {"chain": "`pipeline`", "group": "`group`", "chord": "a completion callback, with the middleware GroupCallbacks"}
    # One Lua script does everything in Redis, its first argument says what (dramatiq/brokers/redis/dispatch.lua).
    steps = {
        "redis": {"take": "reply EVALSHA has=fetch by=workers", "ack": "EVALSHA has=ack by=workers"},
        "rabbitmq": {"take": "reply basic.deliver", "ack": "basic.ack"},
    }
    reports = frozenset(
        (
            Kind.ENQUEUE_BEGIN, Kind.ENQUEUE_ACKNOWLEDGED, Kind.ENQUEUE_NOT_BEFORE, Kind.ENQUEUE_PRIORITY, Kind.JOB_RECEIVED,
            Kind.JOB_RUNNING, Kind.JOB_FINISHED, Kind.JOB_FAILED, Kind.JOB_RETRIED, Kind.JOB_DEAD, Kind.JOB_REJECTED,
            Kind.JOB_TIMED_OUT, Kind.JOB_SETTLED, Kind.WORKER_READY, Kind.WORKER_STOPPING,
        )
    )  # fmt: skip

    def __init__(self, spec: QueueSpec) -> None:
        if spec.pool is not None and spec.pool not in POOLS:
            raise InvalidRequest(f"queue.pool: Dramatiq has the pools {', '.join(POOLS)}, not {spec.pool!r}")
        check_settings("Dramatiq", spec.settings, SETTINGS)
        self._spec = spec

    def worker_command(self, python: Path, name: str) -> list[str]:
        """`dramatiq APP`. With a concurrency: that many threads in one process, or that many processes of one thread."""
        script = python.parent / "dramatiq"
        command = [str(script)] if script.exists() else [str(python), "-m", "dramatiq"]
        command += [self._spec.app, *self._spec.arguments]
        if self._spec.concurrency is not None or self._spec.pool is not None:
            number = str(self._spec.concurrency or 8)
            many = self._spec.pool == "processes"
            command += ["--processes", number if many else "1", "--threads", "1" if many else number]
        return command

    def recovers_within_s(self, broker: str, app: App) -> float:
        """RabbitMQ has the messages of a closed connection back at once. On Redis, a heartbeat of `heartbeat_timeout` ms, and
        then luck: `maintenance_chance` in a million of a queue's fetches look for dead workers (dramatiq/brokers/redis.py,
        _should_do_maintenance; redis/dispatch.lua), of which an idle consumer makes one a second at least. The time is that in
        which 99 of 100 dead workers are found; there is no bound.
        """
        if broker == "rabbitmq":
            return AT_ONCE_S
        chance = int(app.settings["maintenance_chance"]) / 1_000_000
        luck_s = IDLE_FETCH_S if chance >= 1 else math.inf if chance <= 0 else math.log(0.01) / math.log1p(-chance) * IDLE_FETCH_S
        return float(app.settings["heartbeat_timeout"]) / 1000 + luck_s

    def shortened(self, broker: str, app: App, lease_s: float) -> dict[str, Any]:
        """A shorter heartbeat, and a look for dead workers with every fetch."""
        if broker == "rabbitmq":
            return {}
        settings = {"heartbeat_timeout": math.ceil(lease_s * 1000)}
        changes = {name: value for name, value in settings.items() if float(app.settings[name]) > value}
        return {**changes, **({"maintenance_chance": 1_000_000} if int(app.settings["maintenance_chance"]) < 1_000_000 else {})}

    def advice(self, broker: str) -> Sequence[Advice]:
        """What https://dramatiq.io/reference.html says of RedisBroker: everything else is safe by default."""
        if broker == "rabbitmq":
            return []
        often = {"heartbeat_timeout": 10_000, "maintenance_chance": 100_000}
        return [Advice("frequent maintenance", "messages of a dead worker are back within a minute; slower fetches", often)]

    def lease(self, broker: str, app: App) -> LeaseTerms:
        """On Redis the worker's heartbeat, which each of its fetches is (dispatch.lua), also while its threads are busy. On
        RabbitMQ the connection."""
        if broker == "rabbitmq":
            return amqp_terms(0.0, "")
        lasts_s = float(app.settings["heartbeat_timeout"]) / 1000
        return LeaseTerms(
            "the worker's heartbeat: it is dead when it has asked for nothing for so long",
            "heartbeat_timeout (ms)",
            lasts_s,
            self.recovers_within_s(broker, app) - lasts_s,
            renewed_s=IDLE_FETCH_S,
            unit_s=0.001,
        )

    def agent_library(self) -> str:
        """The module jobharness.agent.libraries.dramatiq."""
        return "dramatiq"

    def counts(self, broker: Broker, app: App) -> Counts:
        """Of the app's queues. Running: in a worker's hands, prefetched ones among them."""
        if isinstance(broker, MessageQueues):
            return self._counts_rabbitmq(broker, app)
        found = dict.fromkeys(("waiting", "taken", "delayed", "dead"), 0)
        with asking_redis(), broker.client().pipeline(transaction=False) as pipeline:
            for key in _keys(app):
                pipeline.llen(key)
                pipeline.hlen(key + ".msgs")
                pipeline.hlen(key + ".DQ.msgs")
                pipeline.zcard(key + ".XQ")
            answers = pipeline.execute()
        for place, name in enumerate(found):
            found[name] = sum(answers[place::4])
        running = max(0, found["taken"] - found["waiting"])
        return Counts(waiting=found["waiting"], running=running, delayed=found["delayed"], dead=found["dead"])

    def _counts_rabbitmq(self, broker: MessageQueues, app: App) -> Counts:
        totals = broker.queue_totals()
        names = app.settings["queues"]
        queues = [totals.get(name, NOTHING) for name in names]
        delayed = [totals.get(f"{name}.DQ", NOTHING) for name in names]
        return Counts(
            waiting=sum(queue.ready for queue in queues),
            running=sum(queue.unacknowledged or 0 for queue in queues),
            delayed=sum(queue.ready + (queue.unacknowledged or 0) for queue in delayed),
            dead=sum(totals.get(f"{name}.XQ", NOTHING).ready for name in names),
        )

    def held(self, broker: Broker, app: App) -> Iterable[Held]:
        """The messages of the app's queues, delayed ones too. RabbitMQ does not show those in a worker's hands."""
        if isinstance(broker, MessageQueues):
            yield from _listed(broker, [suffixed for name in app.settings["queues"] for suffixed in (name, f"{name}.DQ")])
            return
        client = broker.client()
        with asking_redis():
            for key in _keys(app):
                waiting = set(client.lrange(key, 0, -1))
                for number, raw in client.hgetall(key + ".msgs").items():
                    where = "waiting in the list" if number in waiting else "taken by a worker and not acknowledged, of the list"
                    yield from _held(raw, f"{where} {key!r}")
                for raw in client.hvals(key + ".DQ.msgs"):
                    yield from _held(raw, f"delayed, in {key + '.DQ'!r}")

    def dead(self, broker: Broker, app: App) -> Iterable[Held]:
        """The dead letters of the app's queues."""
        if isinstance(broker, MessageQueues):
            yield from _listed(broker, [f"{name}.XQ" for name in app.settings["queues"]])
            return
        client = broker.client()
        with asking_redis():
            for key in _keys(app):
                for raw in client.hvals(key + ".XQ.msgs"):
                    yield from _held(raw, f"dead letter in {key + '.XQ'!r}")


def _keys(app: App) -> list[str]:
    return [f"{app.settings.get('namespace', 'dramatiq')}:{name}" for name in app.settings["queues"]]


def _listed(broker: MessageQueues, names: Iterable[str]) -> Iterator[Held]:
    totals = broker.queue_totals()
    for name in names:
        if name in totals:
            for message in broker.waiting(name):
                yield from _held(message.body, f"in the queue {name!r}")


def _held(raw: bytes, where: str) -> Iterator[Held]:
    """A message, unless the app encodes its messages otherwise than in JSON: what it is cannot be told from here then."""
    try:
        message: dict[str, Any] = json.loads(raw)
    except ValueError:
        return
    yield Held(message["message_id"], where)
