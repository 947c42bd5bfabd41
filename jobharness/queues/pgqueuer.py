"""PgQueuer, the harness's side: its worker command, its schema, and its jobs in the table `pgqueuer`."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jobharness.brokers.broker import Broker
from jobharness.errors import InvalidRequest
from jobharness.history.event import Kind
from jobharness.queues.asking import ask_sql, check_settings
from jobharness.queues.queue import App, Counts, Held, LeaseTerms
from jobharness.scenario.model import QueueSpec

__all__ = ["PgqueuerQueue"]

SETTINGS = ("dequeue_timeout", "batch_size", "heartbeat_timeout", "max_concurrent_tasks", "retry_timer")
STATES = """
    SELECT CASE WHEN status = 'queued' AND execute_after > now() THEN 'delayed' ELSE status::text END, count(*)
    FROM {table} GROUP BY 1
"""
HELD = "SELECT id, status FROM {table} WHERE status IN ('queued', 'picked') ORDER BY id"


class PgqueuerQueue:
    """PgQueuer workers by `pgq run APP`. Its schema is installed in a database that the run started.

    A finished job's row is deleted, and so is a failed one's: the log table keeps what it was, and nothing can be run again
    from there. Only an entrypoint with `on_failure = "hold"` (1.0 and newer) keeps its failed jobs.
    """

    library = "pgqueuer"
    preload = ("pgqueuer", "pgqueuer.cli", "pgqueuer.qm", "pgqueuer.db", "pgqueuer.supervisor", "asyncpg", "psycopg")
    mishaps = True
    brokers = ("postgres",)
    # pgqueuer's statements for dequeue and log_jobs (several jobs at once, when its buffer is flushed).
    steps = {"postgres": {"take": "reply WITH has=available", "ack": "WITH has=job_status"}}
    inspected_with_broker = True
    reports = frozenset(
        (
            Kind.ENQUEUE_BEGIN, Kind.ENQUEUE_ACKNOWLEDGED, Kind.ENQUEUE_NOT_BEFORE, Kind.ENQUEUE_PRIORITY, Kind.JOB_RECEIVED,
            Kind.JOB_RUNNING, Kind.JOB_FINISHED, Kind.JOB_FAILED, Kind.JOB_RETRIED, Kind.JOB_DEAD, Kind.JOB_SETTLED,
            Kind.JOB_LEASE_EXTENDED, Kind.WORKER_READY, Kind.WORKER_STOPPING, Kind.SCHEDULE_TICK,
        )
    )  # fmt: skip
    ticks = "its entrypoint"

    def __init__(self, spec: QueueSpec) -> None:
        if spec.pool is not None:
            raise InvalidRequest("queue.pool: PgQueuer has no kinds of pools")
        if spec.concurrency is not None:
            raise InvalidRequest(
                "queue.concurrency: PgQueuer limits jobs by entrypoint (concurrency_limit), and newer versions a worker by "
                'arguments = ["--max-concurrent-tasks", "20"]; use one of these'
            )
        check_settings("PgQueuer", spec.settings, SETTINGS)
        self._spec = spec

    def worker_command(self, python: Path, name: str) -> list[str]:
        """`pgq run APP`."""
        return [*_pgq(python), "run", self._spec.app, *self._spec.arguments]

    def setup_command(self, python: Path, broker: Broker) -> list[str]:
        """`pgq --pg-dsn URL install`."""
        return [*_pgq(python), "--pg-dsn", broker.url, "install"]

    def number_from(self, broker: Broker, app: App, first: int) -> None:
        """Restart the sequence of ids, not that of the schedules', whose rows would have the same."""
        ask_sql(broker, f"SELECT setval(pg_get_serial_sequence('{_table(app)}', 'id'), {first}, false)")

    def recovers_within_s(self, broker: str, app: App) -> float:
        """A picked job is picked again when its heartbeat is `heartbeat_timeout` old (pgqueuer/adapters/persistence/qb.py), at
        the next dequeue: an idle worker makes one every `dequeue_timeout` (pgqueuer/core/qm.py, run). Versions without such a
        timeout bring a job back by an entry point's own `retry_timer` alone."""
        lease_s = app.settings.get("heartbeat_timeout")
        return float(lease_s) + float(app.settings["dequeue_timeout"]) if lease_s is not None else math.inf

    def shortened(self, broker: str, app: App, lease_s: float) -> dict[str, Any]:
        """A shorter heartbeat, and a dequeue every second."""
        settings = {"heartbeat_timeout": lease_s, "dequeue_timeout": 1.0}
        return {name: value for name, value in settings.items() if float(app.settings.get(name) or 0) > value}

    def lease(self, broker: str, app: App) -> LeaseTerms:
        """The heartbeat of a picked job, which its worker sends at half its length (pgqueuer/core/qm.py, _dispatch)."""
        lease_s = app.settings.get("heartbeat_timeout")
        if lease_s is None:
            return LeaseTerms("nothing takes a picked job from its worker")
        return LeaseTerms(
            "the job's heartbeat", "heartbeat_timeout", float(lease_s), float(app.settings["dequeue_timeout"]),
            renewed_s=float(lease_s) / 2, scales=True,
        )  # fmt: skip

    def agent_library(self) -> str:
        """The module jobharness.agent.libraries.pgqueuer."""
        return "pgqueuer"

    def counts(self, broker: Broker, app: App) -> Counts:
        """By status: queued (delayed where it is to run later), picked, and failed where an entrypoint holds any."""
        states = {state: int(count) for state, count in ask_sql(broker, STATES.format(table=_table(app)))}
        return Counts(
            waiting=states.get("queued", 0),
            running=states.get("picked", 0),
            delayed=states.get("delayed", 0),
            dead=states.get("failed"),
        )

    def held(self, broker: Broker, app: App) -> Iterable[Held]:
        """The jobs in the states queued and picked."""
        table = _table(app)
        return [
            Held(str(job_id), f"in the table {table}, {status}") for job_id, status in ask_sql(broker, HELD.format(table=table))
        ]


def _pgq(python: Path) -> list[str]:
    script = python.parent / "pgq"
    return [str(script)] if script.exists() else [str(python), "-m", "pgqueuer"]


def _table(app: App) -> str:
    """Unquoted, as PgQueuer itself writes it: before 1.0 a dotted name was how to choose a schema."""
    schema, table = app.settings["schema"], app.settings["queue_table"]
    return f"{schema}.{table}" if schema else str(table)
