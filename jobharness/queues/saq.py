"""SAQ, the harness's side: its worker command, and where its jobs are (saq/queue/redis.py, saq/queue/postgres.py).

In Redis: a list of queued job ids, a list of active ones, a sorted set of the unfinished ones by when they are due, and a key for
each job, which outlives it for a while. In PostgreSQL: one table of jobs by status.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from jobharness.brokers.broker import Broker
from jobharness.errors import BrokerFailed, InvalidRequest
from jobharness.history.event import Kind
from jobharness.queues.asking import asking_redis, check_settings
from jobharness.queues.queue import Advice, App, Counts, Held, LeaseTerms, Limit
from jobharness.scenario.model import QueueSpec

__all__ = ["SaqQueue"]

SETTINGS = (
    "concurrency", "timers", "dequeue_timeout", "shutdown_grace_period_s", "cancellation_hard_deadline_s", "poll_interval",
)  # fmt: skip
ABORTS_FOR_S = 5.0
GIVEN_UP = ("failed", "aborted")
AT_ONCE = 1000


class SaqQueue:
    """SAQ workers by `saq module.settings`."""

    library = "saq"
    preload = (
        "saq",
        "saq.worker",
        "saq.queue",
        "saq.queue.redis",
        "saq.queue.postgres",
        "redis.asyncio",
        "psycopg",
        "psycopg_pool",
    )
    mishaps = True
    brokers = ("redis", "postgres")
    # saq/queue/redis.py, saq/queue/postgres.py: dequeue, then the job is written as active, and at last as complete.
    steps = {
        "redis": {"take": "reply BLMOVE", "note": "SET has=active by=workers", "ack": "EXEC has=SETEX by=workers"},
        "postgres": {
            "take": "reply WITH has=locked_job",
            "note": "COMMIT has=locked_job",
            "ack": "COMMIT has=complete by=workers",
        },
    }
    ticks = "its function"
    reports = frozenset(
        (
            Kind.ENQUEUE_BEGIN, Kind.ENQUEUE_ACKNOWLEDGED, Kind.ENQUEUE_NOT_BEFORE, Kind.ENQUEUE_PRIORITY, Kind.SCHEDULE_TICK,
            Kind.JOB_RECEIVED, Kind.JOB_RUNNING, Kind.JOB_FINISHED, Kind.JOB_FAILED, Kind.JOB_RETRIED, Kind.JOB_DEAD,
            Kind.JOB_TIMED_OUT, Kind.JOB_SETTLED, Kind.WORKER_READY, Kind.WORKER_STOPPING,
        )
    )  # fmt: skip

    def __init__(self, spec: QueueSpec) -> None:
        if spec.pool is not None:
            raise InvalidRequest("queue.pool: SAQ has no pools; its jobs are coroutines of one process")
        if spec.concurrency is not None:
            raise InvalidRequest("queue.concurrency: SAQ takes it as a setting; write concurrency in [queue.settings]")
        check_settings("SAQ", spec.settings, SETTINGS)
        self._spec = spec

    def worker_command(self, python: Path, name: str) -> list[str]:
        """`saq module.settings`."""
        script = python.parent / "saq"
        command = [str(script)] if script.exists() else [str(python), "-m", "saq"]
        return [*command, self._spec.app.replace(":", "."), *self._spec.arguments]

    def setup_command(self, python: Path, broker: Broker) -> list[str]:
        """On PostgreSQL, a connection, at which SAQ makes its tables. Of two processes that make it together on an empty database
        one goes on without tables, and tries again 10 s later (saq/queue/postgres.py, init_db, only tries to take the lock)."""
        return [str(python), "-m", "jobharness_agent.connect", self._spec.app] if broker.kind == "postgres" else []

    def recovers_within_s(self, broker: str, app: App) -> float:
        """A job is stuck when its `timeout` has passed, as the library has it by default (saq/job.py, stuck; 0: never). It is
        found by a sweep every `timers.sweep` seconds, which on Redis holds a lock for as long again (saq/worker.py, upkeep;
        saq/queue/redis.py, sweep), and which then tries for 5 s to abort it before it is retried."""
        timeout_s, sweep_s = float(app.settings["job.timeout"]), float(app.settings["timers"]["sweep"])
        return timeout_s + 2 * sweep_s + ABORTS_FOR_S if timeout_s else math.inf

    def shortened(self, broker: str, app: App, lease_s: float) -> dict[str, Any]:
        """A sweep every second. A job's timeout goes with the job."""
        return {"timers": {"sweep": 1}} if float(app.settings["timers"]["sweep"]) > 1 else {}

    def advice(self, broker: str) -> Sequence[Advice]:
        """What https://saq-py.readthedocs.io says of a job's retries, and of the timers of a worker."""
        retry = Advice("retries", "a swept job is run again, and not aborted; it may run twice", options={"retries": 3})
        return [retry, Advice("frequent sweeps", "stuck jobs are found sooner; more queries", {"timers": {"sweep": 5}})]

    def lease(self, broker: str, app: App) -> LeaseTerms:
        """A job is stuck when its `timeout` has passed since it started, which ends its run in a worker that lives; the sweep
        compares the time it started with the clock of the worker that sweeps (saq/job.py, stuck)."""
        recovers_s = self.recovers_within_s(broker, app)
        lasts_s = float(app.settings["job.timeout"])
        if math.isinf(recovers_s):
            return LeaseTerms("a job without a timeout is never stuck")
        limit = Limit("timeout (of the job)", lasts_s)
        return LeaseTerms(
            "the job's timeout, from its start on", "timeout (of the job)", lasts_s, recovers_s - lasts_s, limit=limit
        )

    def agent_library(self) -> str:
        """The module jobharness.agent.libraries.saq."""
        return "saq"

    def counts(self, broker: Broker, app: App) -> Counts:
        """Of the app's queue. Dead: failed and aborted jobs that have not expired yet."""
        if broker.kind == "postgres":
            sql = "SELECT status, scheduled > extract(epoch FROM now()), count(*) FROM {table} WHERE queue = %s GROUP BY 1, 2"
            found = {(str(status), bool(later)): int(number) for status, later, number in _ask(broker, app, sql)}
            return Counts(
                waiting=found.get(("queued", False), 0),
                delayed=found.get(("queued", True), 0),
                running=sum(number for (status, _), number in found.items() if status in ("active", "aborting")),
                dead=sum(number for (status, _), number in found.items() if status in GIVEN_UP),
            )
        client, name = broker.client(), app.settings["name"]
        with asking_redis():
            return Counts(
                waiting=client.llen(f"saq:{name}:queued"),
                running=client.llen(f"saq:{name}:active"),
                delayed=client.zcount(f"saq:{name}:incomplete", 1, "+inf"),
                dead=sum(1 for _ in _given_up(client, name)),
            )

    def held(self, broker: Broker, app: App) -> Iterable[Held]:
        """The unfinished jobs of the app's queue."""
        if broker.kind == "postgres":
            sql = "SELECT key, status FROM {table} WHERE queue = %s AND status IN ('new', 'queued', 'active', 'aborting')"
            for key, status in _ask(broker, app, sql):
                yield Held(str(key), f"{status}, in the table of jobs")
            return
        client, name = broker.client(), app.settings["name"]
        with asking_redis():
            for place in ("queued", "active"):
                for raw in client.lrange(f"saq:{name}:{place}", 0, -1):
                    yield Held(_key(raw, name), f"in the list 'saq:{name}:{place}'")
            for raw in client.zrangebyscore(f"saq:{name}:incomplete", 1, "+inf"):
                yield Held(_key(raw, name), f"delayed, in 'saq:{name}:incomplete'")

    def dead(self, broker: Broker, app: App) -> Iterable[Held]:
        """The failed and the aborted jobs, for as long as SAQ keeps them (a job's ttl, 600 s by default)."""
        if broker.kind == "postgres":
            for key, status in _ask(broker, app, "SELECT key, status FROM {table} WHERE queue = %s"):
                if status in GIVEN_UP:
                    yield Held(str(key), f"{status}, in the table of jobs")
            return
        client, name = broker.client(), app.settings["name"]
        with asking_redis():
            for key, status in _given_up(client, name):
                yield Held(key, f"kept as {status}")


def _given_up(client: Any, name: str) -> Iterator[tuple[str, str]]:
    found = client.scan_iter(match=f"saq:job:{name}:*", count=AT_ONCE)
    # Jobs that are done are kept for minutes, and there may be many: they are not asked for one by one.
    while raws := list(islice(found, AT_ONCE)):
        for raw, value in zip(raws, client.mget(raws), strict=True):
            try:
                job: dict[str, Any] = json.loads(value or "{}")
            except ValueError:
                continue  # The app has a serializer of its own.
            if job.get("status") in GIVEN_UP:
                yield _key(raw, name), job["status"]


def _key(raw: bytes, name: str) -> str:
    return raw.decode().removeprefix(f"saq:job:{name}:")


def _ask(broker: Broker, app: App, sql: str) -> list[Any]:
    import psycopg

    table = app.settings.get("jobs_table", "saq_jobs")
    try:
        with broker.client() as connection:
            return list(connection.execute(sql.format(table=f'"{table}"'), (app.settings["name"],)))
    except psycopg.errors.UndefinedTable:
        return []  # Nobody has used the queue yet.
    except psycopg.Error as error:
        raise BrokerFailed(f"the broker did not answer ({error})") from error
