"""arq, the harness's side: its worker command, and where its jobs are in Redis (arq/constants.py).

The queue is one sorted set of job ids by the moment at which each may run. A job stays in it until it is done; while it runs, a
key that expires says so.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jobharness.brokers.broker import Broker
from jobharness.errors import InvalidRequest
from jobharness.history.event import Kind
from jobharness.queues.asking import asking_redis, check_settings
from jobharness.queues.queue import App, Counts, Held, LeaseTerms, Limit
from jobharness.scenario.model import QueueSpec

__all__ = ["ArqQueue"]

IN_PROGRESS = "arq:in-progress:"
SETTINGS = (
    "queue_name", "max_jobs", "job_timeout", "max_tries", "retry_jobs", "poll_delay", "queue_read_limit", "keep_result",
    "keep_result_forever", "health_check_interval", "allow_abort_jobs", "job_completion_wait", "expires_extra_ms",
)  # fmt: skip


MARK_OUTLASTS_S = 10.0


class ArqQueue:
    """arq workers by `arq module.WorkerSettings`."""

    library = "arq"
    preload = ("arq", "arq.cli", "arq.worker", "arq.connections", "redis.asyncio", "pydantic")
    mishaps = True
    brokers = ("redis",)
    # arq/worker.py: _poll_iteration reads ids, start_jobs marks one as in progress, finish_job forgets it.
    steps = {
        "redis": {"take": "reply ZRANGEBYSCORE", "note": "EXEC has=PSETEX by=workers", "ack": "EXEC has=arq:result: by=workers"}
    }
    ticks = "`cron:` and its function"
    reports = frozenset(
        (
            Kind.ENQUEUE_BEGIN, Kind.ENQUEUE_ACKNOWLEDGED, Kind.ENQUEUE_NOT_BEFORE, Kind.SCHEDULE_TICK, Kind.JOB_RECEIVED,
            Kind.JOB_RUNNING, Kind.JOB_FINISHED, Kind.JOB_FAILED, Kind.JOB_RETRIED, Kind.JOB_DEAD, Kind.JOB_TIMED_OUT,
            Kind.JOB_SETTLED, Kind.WORKER_READY, Kind.WORKER_STOPPING,
        )
    )  # fmt: skip

    def __init__(self, spec: QueueSpec) -> None:
        if spec.pool is not None:
            raise InvalidRequest("queue.pool: arq has no pools; its jobs are coroutines of one process")
        if spec.concurrency is not None:
            raise InvalidRequest("queue.concurrency: arq takes it as a setting; write max_jobs in [queue.settings]")
        check_settings("arq", spec.settings, SETTINGS)
        self._spec = spec

    def worker_command(self, python: Path, name: str) -> list[str]:
        """`arq module.WorkerSettings`."""
        script = python.parent / "arq"
        command = [str(script)] if script.exists() else [str(python), "-m", "arq"]
        return [*command, self._spec.app.replace(":", "."), *self._spec.arguments]

    def recovers_within_s(self, broker: str, app: App) -> float:
        """A job stays in the queue, and its mark as being in progress expires 10 s after the longest time limit of any function
        (arq/worker.py, in_progress_timeout_s); the queue is read every `poll_delay`."""
        limits = (task.get("timeout_s") or app.settings["job_timeout"] for task in app.tasks.values())
        return max(map(float, limits), default=0.0) + MARK_OUTLASTS_S + float(app.settings["poll_delay"])

    def shortened(self, broker: str, app: App, lease_s: float) -> dict[str, Any]:
        """A shorter time limit, where the functions have none of their own; the 10 s are arq's own, and no setting."""
        return {"job_timeout": math.ceil(lease_s)} if float(app.settings["job_timeout"]) > lease_s else {}

    def lease(self, broker: str, app: App) -> LeaseTerms:
        """The mark that a job is in progress, which nothing renews; it outlasts by 10 s the time limit that ends a run. A run
        that blocks the loop cannot be ended."""
        poll_s = float(app.settings["poll_delay"])
        lasts_s = self.recovers_within_s(broker, app) - poll_s
        limit = Limit("job_timeout", lasts_s - MARK_OUTLASTS_S)
        return LeaseTerms(
            "the mark in_progress, 10 s longer than the longest time limit", "job_timeout", lasts_s, poll_s,
            spare_s=MARK_OUTLASTS_S, limit=limit,
        )  # fmt: skip

    def agent_library(self) -> str:
        """The module jobharness.agent.libraries.arq."""
        return "arq"

    def counts(self, broker: Broker, app: App) -> Counts:
        """Of the app's queue. Failed jobs are not kept, but as results."""
        states = [state for _, state in self._jobs(broker, app)]
        waiting, running, delayed = (states.count(state) for state in ("waiting", "running", "delayed"))
        return Counts(waiting=waiting, running=running, delayed=delayed)

    def held(self, broker: Broker, app: App) -> Iterable[Held]:
        """Every job of the app's queue."""
        for job_id, state in self._jobs(broker, app):
            where = "marked as in progress" if state == "running" else state
            yield Held(job_id, f"{where}, in the sorted set {app.settings['queue_name']!r}")

    def _jobs(self, broker: Broker, app: App) -> list[tuple[str, str]]:
        client, now_ms = broker.client(), time.time() * 1000
        with asking_redis():
            found: list[Any] = client.zrange(app.settings["queue_name"], 0, -1, withscores=True)
            with client.pipeline(transaction=False) as pipeline:
                for job_id, _ in found:
                    pipeline.exists(IN_PROGRESS + job_id.decode())
                running = pipeline.execute()
        return [
            (job_id.decode(), "running" if marked else "delayed" if score > now_ms else "waiting")
            for (job_id, score), marked in zip(found, running, strict=True)
        ]
