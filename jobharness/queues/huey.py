"""Huey, the harness's side: its worker command, and where its tasks are (huey/storage.py).

In Redis a queue is a list, or a sorted set for the classes with priorities, and the schedule a sorted set. In SQLite both are
tables. A task that a worker runs is nowhere: taking it removes it.
"""

from __future__ import annotations

import gzip
import math
import pickletools
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from jobharness.brokers.broker import Broker
from jobharness.errors import BrokerFailed, InvalidRequest
from jobharness.history.event import Kind
from jobharness.queues.asking import asking_redis, check_settings
from jobharness.queues.queue import App, Counts, Held, LeaseTerms
from jobharness.scenario.model import QueueSpec

__all__ = ["HueyQueue"]

POOLS = ("thread", "process", "greenlet")
SETTINGS = (
    "workers", "periodic", "initial_delay", "backoff", "max_delay", "scheduler_interval", "worker_type", "check_worker_health",
    "health_check_interval", "flush_locks", "max_tasks", "shutdown_timeout", "graceful_signal",
)  # fmt: skip
PREFIX_BYTES = 8  # Of a task in a sorted set: the time, so that tasks of the same priority keep their order.


class HueyQueue:
    """Huey consumers by `huey_consumer APP`."""

    library = "huey"
    preload = ("huey.api", "huey.consumer", "huey.consumer_options", "huey.storage", "redis", "sqlite3")
    mishaps = True
    brokers = ("redis", "sqlite")
    shapes = {"chain": "`then`", "group": "`group` (Huey 3)", "chord": "`chord` (Huey 3)"}
    ticks = "its task; each consumer sends it"
    # Taking a task removes it (huey/storage.py: dequeue), so nothing is acknowledged.
    steps = {
        "redis": {"take": "reply BRPOP"},
        "sqlite": {"take": "DELETE has=task", "note": "COMMIT has=task by=workers"},
    }
    reports = frozenset(
        (
            Kind.ENQUEUE_BEGIN, Kind.ENQUEUE_ACKNOWLEDGED, Kind.ENQUEUE_NOT_BEFORE, Kind.ENQUEUE_PRIORITY, Kind.SCHEDULE_TICK,
            Kind.JOB_RECEIVED, Kind.JOB_RUNNING, Kind.JOB_FINISHED, Kind.JOB_FAILED, Kind.JOB_RETRIED, Kind.JOB_DEAD,
            Kind.JOB_TIMED_OUT, Kind.WORKER_READY, Kind.WORKER_STOPPING,
        )
    )  # fmt: skip

    def __init__(self, spec: QueueSpec) -> None:
        if spec.pool is not None and spec.pool not in POOLS:
            raise InvalidRequest(f"queue.pool: Huey has the kinds of worker {', '.join(POOLS)}, not {spec.pool!r}")
        check_settings("Huey", spec.settings, SETTINGS)
        self._spec = spec

    def worker_command(self, python: Path, name: str) -> list[str]:
        """`huey_consumer APP`, with the kind (-k) and the number (-w) of its workers."""
        script = python.parent / "huey_consumer"
        command = [str(script)] if script.exists() else [str(python), "-m", "huey.bin.huey_consumer"]
        command.append(self._spec.app.replace(":", "."))
        if self._spec.pool is not None:
            command += ["-k", self._spec.pool]
        if self._spec.concurrency is not None:
            command += ["-w", str(self._spec.concurrency)]
        return [*command, *self._spec.arguments]

    def recovers_within_s(self, broker: str, app: App) -> float:
        """Nothing brings a task back that a consumer had taken: taking it removes it (huey/storage.py, dequeue)."""
        return math.inf

    def lease(self, broker: str, app: App) -> LeaseTerms:
        """None: taking a task removes it from the storage."""
        return LeaseTerms("taking a task removes it, so nothing can take it from its consumer, or bring it back")

    def agent_library(self) -> str:
        """The module jobharness.agent.libraries.huey."""
        return "huey"

    def counts(self, broker: Broker, app: App) -> Counts:
        """Waiting and delayed. What runs is not in the storage, and failed tasks are not kept."""
        if broker.kind == "sqlite":
            name = app.settings["name"]
            return Counts(waiting=_number(broker, "task", name), delayed=_number(broker, "schedule", name))
        client = broker.client()
        with asking_redis():
            queue, schedule = app.settings["queue_key"], app.settings["schedule_key"]
            waiting = client.zcard(queue) if client.type(queue) == b"zset" else client.llen(queue)
            return Counts(waiting=waiting, delayed=client.zcard(schedule))

    def held(self, broker: Broker, app: App) -> Iterable[Held]:
        """The tasks of the queue and of the schedule."""
        if broker.kind == "sqlite":
            for table, where in (("task", "waiting in the table 'task'"), ("schedule", "delayed, in the table 'schedule'")):
                for (raw,) in _ask(broker, f"SELECT data FROM {table} WHERE queue = ? ORDER BY id", app.settings["name"]):
                    yield from _held(bytes(raw), where)
            return
        client = broker.client()
        with asking_redis():
            queue, schedule = app.settings["queue_key"], app.settings["schedule_key"]
            if client.type(queue) == b"zset":
                waiting = [raw[PREFIX_BYTES:] for raw in client.zrange(queue, 0, -1)]
            else:
                waiting = client.lrange(queue, 0, -1)
            for raw in waiting:
                yield from _held(raw, f"waiting in {queue!r}")
            for raw in client.zrange(schedule, 0, -1):
                yield from _held(raw, f"delayed, in {schedule!r}")


def _ask(broker: Broker, sql: str, *values: Any) -> list[Any]:
    connection = broker.client()
    try:
        return list(connection.execute(sql, values))
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return []  # Nobody has used the queue yet.
        raise BrokerFailed(f"the broker did not answer ({error})") from error
    finally:
        connection.close()


def _number(broker: Broker, table: str, name: str) -> int:
    rows = _ask(broker, f"SELECT count(*) FROM {table} WHERE queue = ?", name)
    return int(rows[0][0]) if rows else 0


def _held(raw: bytes, where: str) -> Iterator[Held]:
    """A task by its id, unless the app has a serializer of its own: what it is cannot be told from here then."""
    job_id = _id_in(_inflated(raw))
    if job_id is not None:
        yield Held(job_id, where)


def _inflated(raw: bytes) -> bytes:
    if raw[:2] == b"\x1f\x8b":
        return gzip.decompress(raw)
    return zlib.decompress(raw) if raw[:1] == b"\x78" else raw


def _id_in(raw: bytes) -> str | None:
    """The id of a pickled huey.registry.Message: the first text after the name of its class. Nothing is unpickled."""
    words: list[str] = []
    try:
        for _, argument, _ in pickletools.genops(raw):
            if isinstance(argument, str):
                words += argument.split(" ")  # Older protocols write module and class as one argument.
                if len(words) > 2 and words[:2] == ["huey.registry", "Message"]:
                    return words[2]
    except ValueError:
        return None
    return None
