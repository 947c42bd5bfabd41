"""taskiq, the harness's side: `taskiq worker`, and where its jobs are in Redis (streams, lists), RabbitMQ and NATS JetStream.

Messages are read as taskiq's JSON formatter writes them. What waits in a schedule source is not counted.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from jobharness.brokers.broker import Broker, MessageQueues
from jobharness.errors import InvalidRequest
from jobharness.history.event import Kind
from jobharness.queues.asking import asking_redis
from jobharness.queues.connections import amqp_terms
from jobharness.queues.queue import App, Counts, Held, LeaseTerms
from jobharness.scenario.model import QueueSpec

__all__ = ["TaskiqQueue"]

AT_ONCE_S = 3.0  # What is redelivered when a connection ends takes no sweep, only a moment.
JETSTREAM_ACK_WAIT_S = 30.0
PAGE = 500


class TaskiqQueue:
    """taskiq workers by `taskiq worker APP`. Its default of two processes stays, unless `arguments` says otherwise."""

    library = "taskiq"
    preload = (
        "taskiq", "taskiq.__main__", "taskiq.cli.worker.cmd", "taskiq.cli.worker.run", "taskiq.cli.scheduler.cmd",
        "taskiq.receiver", "taskiq_aio_pika", "taskiq_nats", "taskiq_redis", "aio_pika", "nats.aio.client", "redis.asyncio",
    )  # fmt: skip
    mishaps = True
    brokers = ("redis", "rabbitmq", "nats")
    # Of Redis, the stream brokers; a list broker takes by BRPOP, and acknowledges nothing. NATS' own word is `ack`, too.
    steps = {
        "redis": {"take": "reply XREADGROUP", "ack": "XACK"},
        "rabbitmq": {"take": "reply basic.deliver", "ack": "basic.ack"},
        "nats": {"take": "reply *MSG by=workers"},
    }
    ticks = "its task, by `taskiq scheduler`"
    reports = frozenset(
        (
            Kind.ENQUEUE_BEGIN, Kind.ENQUEUE_ACKNOWLEDGED, Kind.ENQUEUE_NOT_BEFORE, Kind.JOB_RECEIVED, Kind.JOB_RUNNING,
            Kind.JOB_FINISHED, Kind.JOB_FAILED, Kind.JOB_RETRIED, Kind.JOB_DEAD, Kind.JOB_REJECTED, Kind.JOB_TIMED_OUT,
            Kind.JOB_SETTLED, Kind.WORKER_READY, Kind.WORKER_STOPPING, Kind.SCHEDULE_TICK,
        )
    )  # fmt: skip

    def __init__(self, spec: QueueSpec) -> None:
        if spec.pool is not None:
            raise InvalidRequest(
                'queue.pool: taskiq has no kinds of pools; use arguments = ["--use-process-pool"] for its process pool'
            )
        self._spec = spec

    def worker_command(self, python: Path, name: str) -> list[str]:
        """`taskiq worker APP`, with `--max-async-tasks` where the scenario says how many jobs run at once."""
        script = python.parent / "taskiq"
        taskiq = [str(script)] if script.exists() else [str(python), "-m", "taskiq"]
        command = [*taskiq, "worker", self._spec.app]
        if self._spec.concurrency is not None:
            command += ["--max-async-tasks", str(self._spec.concurrency)]
        return [*command, *self._spec.arguments]

    def scheduler_command(self, python: Path, name: str) -> list[str]:
        """`taskiq scheduler MODULE:scheduler`: the name that its documentation gives it, in the module of the broker."""
        script = python.parent / "taskiq"
        taskiq = [str(script)] if script.exists() else [str(python), "-m", "taskiq"]
        return [*taskiq, "scheduler", self._spec.app.partition(":")[0] + ":scheduler"]

    def recovers_within_s(self, broker: str, app: App) -> float:
        """By the kind of its broker. RabbitMQ has the messages of a closed connection back at once. A message of a Redis stream
        is claimed once it was idle for `idle_timeout` ms, after a read of up to `block` ms; taskiq-redis looks only when another
        message has come (taskiq_redis/redis_broker.py, listen). JetStream redelivers after `ack_wait`, 30 s where the app does
        not say (nats.js.api.ConsumerConfig). Lists, pub/sub and NATS without JetStream keep nothing that was taken."""
        if broker == "rabbitmq":
            return AT_ONCE_S
        if broker == "nats":
            return JETSTREAM_ACK_WAIT_S if "JetStream" in str(app.settings["broker"]) else math.inf
        idle_ms = app.settings.get("idle_timeout")
        return (float(idle_ms) + float(app.settings.get("block") or 0)) / 1000 if idle_ms is not None else math.inf

    def shortened(self, broker: str, app: App, lease_s: float) -> dict[str, Any]:
        """A shorter time that a message of a stream may be idle."""
        idle_ms = app.settings.get("idle_timeout") if broker == "redis" else None
        return {"idle_timeout": math.ceil(lease_s * 1000)} if idle_ms is not None and float(idle_ms) > lease_s * 1000 else {}

    def lease(self, broker: str, app: App) -> LeaseTerms:
        """On Redis streams the time that a message is idle since its delivery, on JetStream `ack_wait`: nothing renews either. On
        RabbitMQ the connection."""
        if broker == "rabbitmq":
            return amqp_terms(0.0, "")
        recovers_s = self.recovers_within_s(broker, app)
        if math.isinf(recovers_s):
            return LeaseTerms("what was taken is nowhere but in its worker")
        if broker == "nats":
            return LeaseTerms("the wait for an acknowledgement, from delivery on", "ack_wait", JETSTREAM_ACK_WAIT_S, 1.0)
        lasts_s = float(app.settings["idle_timeout"]) / 1000
        found_s = recovers_s - lasts_s
        return LeaseTerms(
            "a message may be idle for so long since its delivery", "idle_timeout (ms)", lasts_s, found_s, unit_s=0.001
        )

    def agent_library(self) -> str:
        """The module jobharness.agent.libraries.taskiq."""
        return "taskiq"

    def counts(self, broker: Broker, app: App) -> Counts:
        """Waiting, and delivered but not acknowledged, as the broker counts them."""
        if isinstance(broker, MessageQueues):
            return _amqp_counts(broker, app)
        with broker.client() as client:
            if broker.kind == "nats":
                return _stream_counts(client, app)
            with asking_redis():
                return _redis_counts(client, app)

    def held(self, broker: Broker, app: App) -> Iterable[Held]:
        """The messages that the broker holds, by task id; RabbitMQ does not show those that it has delivered."""
        if isinstance(broker, MessageQueues):
            yield from _amqp_held(broker, app)
            return
        with broker.client() as client:
            if broker.kind == "nats":
                yield from _stream_held(client, app)
                return
            with asking_redis():
                yield from _redis_held(client, app)


def _amqp_queues(app: App) -> dict[str, str]:
    """The queues of taskiq-aio-pika by what a message in them is."""
    found = dict.fromkeys(app.settings["task_queues"] or [app.settings.get("queue", "taskiq")], "waiting")
    for setting, state in (("delay_queue", "delayed"), ("dead_letter_queue", "dead")):
        if name := app.settings.get(setting):
            found[name] = state
    return found


def _amqp_counts(broker: MessageQueues, app: App) -> Counts:
    totals, queues = broker.queue_totals(), _amqp_queues(app)

    def ready(state: str) -> int:
        return sum(totals[name].ready for name, its in queues.items() if its == state and name in totals)

    running = sum(totals[name].unacknowledged or 0 for name in queues if name in totals)
    # Nothing tells of the dead: taskiq acknowledges a job that failed, and its dead-letter queue is for what RabbitMQ gave up.
    return Counts(waiting=ready("waiting"), running=running, delayed=ready("delayed"))


def _amqp_held(broker: MessageQueues, app: App) -> Iterator[Held]:
    totals = broker.queue_totals()
    for name, state in _amqp_queues(app).items():
        if state != "dead" and name in totals:
            yield from (_held(message.body, f"{state} in the queue {name!r}") for message in broker.waiting(name))


def _consumer(client: Any, app: App) -> Any:
    """What JetStream says of the workers' consumer, or None before there is one."""
    import nats.js.errors

    stream, name = app.settings["stream_name"], app.settings["consumer"]
    if not name:
        return None  # A consumer without a durable name: JetStream cannot be asked about it, and forgets it.
    try:
        return client.ask(lambda jetstream: jetstream.consumer_info(stream, name))
    except nats.js.errors.NotFoundError:
        return None


def _stream_counts(client: Any, app: App) -> Counts:
    """A core NATS subject keeps nothing, so there is nothing to count."""
    consumer = _consumer(client, app) if "stream_name" in app.settings else None
    return Counts(waiting=consumer.num_pending, running=consumer.num_ack_pending) if consumer is not None else Counts(waiting=0)


def _stream_held(client: Any, app: App) -> Iterator[Held]:
    """The stream's messages after the last below which all are acknowledged: a later one may be too, JetStream does not say."""
    import nats.js.errors

    consumer = _consumer(client, app) if "stream_name" in app.settings else None
    if consumer is None or not (consumer.num_pending or consumer.num_ack_pending):
        return
    stream, delivered = app.settings["stream_name"], consumer.delivered.stream_seq
    last = client.ask(lambda jetstream: jetstream.stream_info(stream)).state.last_seq
    for sequence in range(consumer.ack_floor.stream_seq + 1, last + 1):
        try:
            message = client.ask(lambda jetstream: jetstream.get_msg(stream, sequence))  # noqa: B023  # called at once
        except nats.js.errors.NotFoundError:
            continue
        where = "waiting" if sequence > delivered else "delivered, perhaps not acknowledged"
        yield _held(message.data or b"", f"{where} in the stream {stream!r}")


def _redis_counts(client: Any, app: App) -> Counts:
    if not _is_stream(app):
        return Counts(waiting=client.llen(app.settings["queue_name"]))
    waiting = sum(1 for _ in _undelivered(client, app))
    return Counts(waiting=waiting, running=sum(group["pending"] for group in _groups(client, app)))


def _redis_held(client: Any, app: App) -> Iterator[Held]:
    name = app.settings["queue_name"]
    if not _is_stream(app):
        yield from (_held(raw, f"waiting in the list {name!r}") for raw in client.lrange(name, 0, -1))
        return
    yield from (_held(raw, f"waiting in the stream {name!r}") for raw in _undelivered(client, app))
    for message_id in _pending(client, app):
        for _, fields in client.xrange(name, message_id, message_id):
            yield _held(fields[b"data"], f"delivered, not acknowledged (pending in the stream {name!r})")


def _is_stream(app: App) -> bool:
    return "consumer_group_name" in app.settings


def _groups(client: Any, app: App) -> Iterator[dict[str, Any]]:
    name = app.settings["queue_name"]
    if client.exists(name):
        yield from (group for group in client.xinfo_groups(name) if group["name"].decode() == app.settings["consumer_group_name"])


def _undelivered(client: Any, app: App) -> Iterator[bytes]:
    """The stream's messages after the last one that the group was given."""
    for group in _groups(client, app):
        after = group["last-delivered-id"].decode()
        while page := client.xrange(app.settings["queue_name"], f"({after}", "+", count=PAGE):
            yield from (fields[b"data"] for _, fields in page)
            after = page[-1][0].decode()


def _pending(client: Any, app: App) -> Iterator[str]:
    name, group = app.settings["queue_name"], app.settings["consumer_group_name"]
    after = "-"
    while page := client.xpending_range(name, group, after, "+", PAGE):
        yield from (entry["message_id"].decode() for entry in page)
        after = "(" + page[-1]["message_id"].decode()


def _held(raw: bytes, where: str) -> Held:
    return Held(json.loads(raw)["task_id"], where)
