"""procrastinate, the harness's side: its worker command, its schema, and its jobs in the table `procrastinate_jobs`."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

from jobharness.brokers.broker import Broker
from jobharness.errors import InvalidRequest
from jobharness.history.event import Kind
from jobharness.queues.asking import ask_sql, check_settings
from jobharness.queues.queue import App, Counts, Held, LeaseTerms
from jobharness.scenario.model import QueueSpec

__all__ = ["ProcrastinateQueue"]

SETTINGS = (
    "concurrency", "fetch_job_polling_interval", "abort_job_polling_interval", "shutdown_graceful_timeout", "listen_notify",
    "delete_jobs", "update_heartbeat_interval", "stalled_worker_timeout",
)  # fmt: skip
STATES = """
    SELECT CASE WHEN status = 'todo' AND scheduled_at > now() THEN 'delayed' ELSE status::text END, count(*)
    FROM procrastinate_jobs WHERE status <> 'succeeded' GROUP BY 1
"""
HELD = "SELECT id, status FROM procrastinate_jobs WHERE status IN ('todo', 'doing') ORDER BY id"
DEAD = "SELECT id, status FROM procrastinate_jobs WHERE status IN ('failed', 'aborted', 'cancelled') ORDER BY id"


class ProcrastinateQueue:
    """procrastinate workers by `procrastinate --app APP worker`. Its schema is applied to a database that the run started."""

    library = "procrastinate"
    preload = ("procrastinate.cli", "procrastinate.worker", "procrastinate.psycopg_connector", "psycopg", "psycopg_pool")
    mishaps = True
    brokers = ("postgres",)
    # Two functions of its schema, each in a transaction of its own (procrastinate/sql/queries.sql).
    steps = {
        "postgres": {
            "take": "reply SELECT has=procrastinate_fetch_job",
            "note": "COMMIT has=procrastinate_fetch_job",
            "ack": "COMMIT has=procrastinate_finish_job",
        }
    }
    reports = frozenset(
        (
            Kind.ENQUEUE_BEGIN, Kind.ENQUEUE_ACKNOWLEDGED, Kind.ENQUEUE_NOT_BEFORE, Kind.ENQUEUE_PRIORITY, Kind.JOB_RECEIVED,
            Kind.JOB_RUNNING, Kind.JOB_FINISHED, Kind.JOB_FAILED, Kind.JOB_RETRIED, Kind.JOB_DEAD, Kind.JOB_SETTLED,
            Kind.SCHEDULE_TICK, Kind.WORKER_READY, Kind.WORKER_STOPPING,
        )
    )  # fmt: skip
    ticks = "its task"

    def __init__(self, spec: QueueSpec) -> None:
        if spec.pool is not None:
            raise InvalidRequest("queue.pool: procrastinate has no kinds of pools")
        check_settings("procrastinate", spec.settings, SETTINGS)
        self._spec = spec

    def _command(self, python: Path) -> list[str]:
        script = python.parent / "procrastinate"
        return [*([str(script)] if script.exists() else [str(python), "-m", "procrastinate"]), "--app", self._spec.app]

    def worker_command(self, python: Path, name: str) -> list[str]:
        """`procrastinate --app APP worker`, with the worker's name and concurrency."""
        command = [*self._command(python), "worker", "--name", name]
        if self._spec.concurrency is not None:
            command += ["--concurrency", str(self._spec.concurrency)]
        return [*command, *self._spec.arguments]

    def setup_command(self, python: Path, broker: Broker) -> list[str]:
        """`procrastinate --app APP schema --apply`."""
        return [*self._command(python), "schema", "--apply"]

    def number_from(self, broker: Broker, app: App, first: int) -> None:
        """Restart the sequence of ids."""
        ask_sql(broker, f"SELECT setval('procrastinate_jobs_id_seq', {first}, false)")

    def recovers_within_s(self, broker: str, app: App) -> float:
        """Nothing of its own brings a stalled job back: the app retries those that its heartbeat has left (JobManager's
        `get_stalled_jobs`), by a task of its own, whose period only the scenario knows."""
        return math.inf

    def lease(self, broker: str, app: App) -> LeaseTerms:
        """None of its own: what the app's task for stalled jobs says (`get_stalled_jobs`), which only the scenario knows. While a
        worker lives it sends heartbeats, by the database's clock."""
        beat_s = float(app.settings.get("update_heartbeat_interval") or 10)
        return LeaseTerms("nothing takes a job from its worker, unless the app retries stalled jobs itself", renewed_s=beat_s)

    def agent_library(self) -> str:
        """The module jobharness.agent.libraries.procrastinate."""
        return "procrastinate"

    def counts(self, broker: Broker, app: App) -> Counts:
        """By status: todo (delayed where it is scheduled for later), doing, and failed, aborted or cancelled."""
        states = {state: int(count) for state, count in ask_sql(broker, STATES)}
        return Counts(
            waiting=states.get("todo", 0),
            running=states.get("doing", 0),
            delayed=states.get("delayed", 0),
            dead=sum(states.get(state, 0) for state in ("failed", "aborted", "cancelled")),
        )

    def held(self, broker: Broker, app: App) -> Iterable[Held]:
        """The jobs in the states todo and doing."""
        return [Held(str(job_id), f"in the table procrastinate_jobs, {status}") for job_id, status in ask_sql(broker, HELD)]

    def dead(self, broker: Broker, app: App) -> Iterable[Held]:
        """The jobs in the states failed, aborted and cancelled."""
        return [Held(str(job_id), f"in the table procrastinate_jobs, {status}") for job_id, status in ask_sql(broker, DEAD)]
