"""APScheduler 3, the harness's side: the app's own scheduler process, and its jobs in the table of an SQLAlchemy job store."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from pathlib import Path

from jobharness.brokers.broker import Broker
from jobharness.errors import InvalidRequest
from jobharness.history.event import Kind
from jobharness.queues.asking import ask_sql, check_settings
from jobharness.queues.queue import App, Counts, Held, LeaseTerms
from jobharness.scenario.model import QueueSpec

__all__ = ["ApschedulerQueue"]

JOBS = "SELECT id, next_run_time, job_state FROM {table}"
ONCE = b"DateTrigger"  # In the pickle of a job that is run once, as its agent tells them. A periodic one's row stays for ever.


class ApschedulerQueue:
    """APScheduler has no command of its own: `queue.command` starts the scheduler's process, `queue.app` names the scheduler.

    One scheduler owns a job store: two of them run the same job twice, and none hears of a job that another process has added.
    """

    library = "apscheduler"
    # Not its own modules: its pools copy `run_job` when they are imported, and the agent would wrap it too late.
    preload = ("psycopg", "sqlalchemy.dialects.postgresql", "sqlalchemy.dialects.sqlite", "tzlocal")
    mishaps = True
    brokers = ("postgres", "sqlite")
    reports = frozenset(
        (
            Kind.ENQUEUE_BEGIN, Kind.ENQUEUE_ACKNOWLEDGED, Kind.ENQUEUE_NOT_BEFORE, Kind.JOB_RECEIVED, Kind.JOB_RUNNING,
            Kind.JOB_FINISHED, Kind.JOB_FAILED, Kind.JOB_DEAD, Kind.JOB_SETTLED, Kind.WORKER_READY, Kind.WORKER_STOPPING,
            Kind.SCHEDULE_TICK,
        )
    )  # fmt: skip
    ticks = "its function; each scheduler runs it"

    def __init__(self, spec: QueueSpec) -> None:
        if not spec.command:
            raise InvalidRequest('queue.command: APScheduler has none; give yours, such as ["python", "-m", "shop.jobs"]')
        if spec.concurrency is not None or spec.pool is not None:
            raise InvalidRequest("queue.concurrency, queue.pool: APScheduler's executors are set in the app")
        check_settings("apscheduler", spec.settings, ())
        self._spec = spec

    def worker_command(self, python: Path, name: str) -> list[str]:
        """The scenario's queue.command."""
        return list(self._spec.command)

    def recovers_within_s(self, broker: str, app: App) -> float:
        """Nothing brings a job back that was handed to its executor: its row is removed then (apscheduler/schedulers/base.py,
        _process_jobs), before it has run."""
        return math.inf

    def lease(self, broker: str, app: App) -> LeaseTerms:
        """None: a due job's row is removed before it has run, and one scheduler owns a job store."""
        return LeaseTerms("one scheduler owns a job store; a second one is no standby, and runs the same jobs")

    def agent_library(self) -> str:
        """The module jobharness.agent.libraries.apscheduler."""
        return "apscheduler"

    def counts(self, broker: Broker, app: App) -> Counts:
        """Waiting: due rows. Delayed: later ones. A job that was submitted to its executor is in no table any more."""
        rows = self._rows(broker, app)
        due = sum(float(moment or 0) <= time.time() for _, moment in rows)
        return Counts(waiting=due, delayed=len(rows) - due)

    def held(self, broker: Broker, app: App) -> Iterable[Held]:
        """The rows of the job store's table, but for those of periodic jobs."""
        return [Held(str(job_id), f"in the table {app.settings['table']}") for job_id, _ in self._rows(broker, app)]

    def _rows(self, broker: Broker, app: App) -> list[tuple[str, float | None]]:
        table = app.settings["table"]
        if table is None:
            raise InvalidRequest("the scheduler's default job store is no SQLAlchemyJobStore: its jobs cannot be counted")
        return [(job_id, moment) for job_id, moment, state in ask_sql(broker, JOBS.format(table=table)) if ONCE in bytes(state)]
