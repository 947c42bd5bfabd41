"""django-q2, the harness's side: `manage.py qcluster`, its migrations, and its jobs in the table `django_q_ormq`."""

from __future__ import annotations

import base64
import math
import pickletools
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from jobharness.brokers.broker import Broker
from jobharness.errors import InvalidRequest
from jobharness.history.event import Kind
from jobharness.queues.asking import ask_sql
from jobharness.queues.queue import Advice, App, Counts, Held, LeaseTerms, Limit
from jobharness.scenario.model import QueueSpec

__all__ = ["DjangoQ2Queue", "task_id_of"]

NOW = {"sqlite": "strftime('%Y-%m-%d %H:%M:%f', 'now')", "postgres": "now()"}
LOCKED = "SELECT payload, lock > {now} FROM django_q_ormq ORDER BY id"
SHORTEST_LOCK_S = 8
FAILED = "SELECT id FROM django_q_task WHERE NOT success"


class DjangoQ2Queue:
    """django-q2 clusters by `python manage.py qcluster`, with Django's ORM as the broker. `app` is Django's settings module.

    A failed job's row stays, locked, and is delivered again when `retry` has passed: it counts as running until then.
    """

    library = "django-q2"
    # django_q itself reads the settings when it is imported.
    preload = (
        "django.core.management", "django.core.management.commands.migrate", "django.db.migrations.executor", "django.db.models",
        "django.db.backends.postgresql.base", "django.db.backends.sqlite3.base", "multiprocessing.pool",
    )  # fmt: skip
    # django_q/brokers/orm.py: dequeue locks the row, acknowledge deletes it. Whose job it is cannot be read: it is signed.
    steps = {broker: {"take": "UPDATE has=django_q_ormq", "ack": "DELETE has=django_q_ormq"} for broker in ("postgres", "sqlite")}
    mishaps = True
    brokers = ("postgres", "sqlite")
    reports = frozenset(
        (
            Kind.ENQUEUE_BEGIN, Kind.ENQUEUE_ACKNOWLEDGED, Kind.JOB_RECEIVED, Kind.JOB_RUNNING, Kind.JOB_FINISHED,
            Kind.JOB_FAILED, Kind.JOB_RETRIED, Kind.JOB_DEAD, Kind.JOB_TIMED_OUT, Kind.JOB_SETTLED, Kind.WORKER_READY,
            Kind.WORKER_STOPPING, Kind.SCHEDULE_TICK,
        )
    )  # fmt: skip
    ticks = "its function, of a `Schedule`"

    def __init__(self, spec: QueueSpec) -> None:
        if spec.pool is not None:
            raise InvalidRequest("queue.pool: django-q2 has no kinds of pools")
        if spec.concurrency is not None and spec.settings.get("workers", spec.concurrency) != spec.concurrency:
            raise InvalidRequest("queue.concurrency and queue.settings.workers say different things; leave one of them out")
        if spec.concurrency is not None:
            raise InvalidRequest(
                f"queue.concurrency: django-q2 has it as a setting; use settings = {{ workers = {spec.concurrency} }}"
            )
        self._spec = spec

    def worker_command(self, python: Path, name: str) -> list[str]:
        """`python manage.py qcluster`, in the scenario's queue.folder."""
        return [str(python), "manage.py", "qcluster", *self._spec.arguments]

    def setup_command(self, python: Path, broker: Broker) -> list[str]:
        """`python manage.py migrate`."""
        return [str(python), "manage.py", "migrate", "--no-input"]

    def recovers_within_s(self, broker: str, app: App) -> float:
        """A row that was taken is locked for `retry` seconds (django_q/brokers/orm.py, timeout), and looked for every `poll`."""
        return float(app.settings["retry"]) + float(app.settings["poll"] or 0)

    def shortened(self, broker: str, app: App, lease_s: float) -> dict[str, Any]:
        """A shorter lock, within which its timeout must lie. No shorter than 8 s: a cluster locks rows before it has the time to
        run them, and what waits in its own memory meanwhile would be run twice."""
        retry_s = max(SHORTEST_LOCK_S, math.ceil(lease_s))
        return {"retry": retry_s, "timeout": retry_s - 1} if float(app.settings["retry"]) > retry_s else {}

    def advice(self, broker: str) -> Sequence[Advice]:
        """What https://django-q2.readthedocs.io/en/master/configure.html says of retry and max_attempts."""
        short = Advice(
            "a short lock",
            "a job of a dead cluster is back sooner; one that runs for longer runs twice",
            {"retry": 15, "timeout": 10},
        )
        return [short, Advice("attempts bounded", "a job that kills its worker is given up", {"max_attempts": 5})]

    def lease(self, broker: str, app: App) -> LeaseTerms:
        """The lock of a row, which nothing renews; `timeout` ends a run, in the cluster that lives."""
        timeout_s = app.settings.get("timeout")
        limit = Limit("timeout", float(timeout_s)) if timeout_s else None
        found_s = float(app.settings["poll"] or 0) + 1
        return LeaseTerms("the lock of its row, from the taking on", "retry", float(app.settings["retry"]), found_s, limit=limit)

    def agent_library(self) -> str:
        """The module jobharness.agent.libraries.django_q2."""
        return "django_q2"

    def counts(self, broker: Broker, app: App) -> Counts:
        """Waiting: rows whose lock has run out. Running: locked rows. Dead: failed tasks that will not be tried again."""
        rows = ask_sql(broker, LOCKED.format(now=NOW[broker.kind]))
        running = sum(bool(locked) for _, locked in rows)
        failed = {str(task_id) for (task_id,) in ask_sql(broker, FAILED)}
        dead = failed - {task_id_of(payload) for payload, _ in rows}
        return Counts(waiting=len(rows) - running, running=running, dead=len(dead))

    def held(self, broker: Broker, app: App) -> Iterable[Held]:
        """The rows of the queue's table."""
        for payload, locked in ask_sql(broker, LOCKED.format(now=NOW[broker.kind])):
            where = "taken or failed, and locked until its retry" if locked else "waiting"
            yield Held(task_id_of(payload), f"in the table django_q_ormq, {where}")

    def dead(self, broker: Broker, app: App) -> Iterable[Held]:
        """The failed tasks that will not be tried again."""
        kept = {held.job_id for held in self.held(broker, app)}
        failed = (str(task_id) for (task_id,) in ask_sql(broker, FAILED))
        return [Held(task_id, "in the table django_q_task, failed") for task_id in failed if task_id not in kept]


def task_id_of(payload: str) -> str:
    """The id in a signed package: a pickled dict, which is read as text and never loaded (a pickle may run code)."""
    packed = payload.rsplit(":", 2)[0]
    compressed = packed.startswith(".")
    packed = packed.removeprefix(".")
    raw = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4))
    texts = (
        value for code, value, _ in pickletools.genops(zlib.decompress(raw) if compressed else raw) if isinstance(value, str)
    )
    for text in texts:
        if text == "id":
            return str(next(texts))
    raise ValueError("a package of django-q2 without an id")
