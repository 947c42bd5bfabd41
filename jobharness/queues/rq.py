"""RQ, the harness's side: its worker command, and where its jobs are in Redis (rq/queue.py, rq/registry.py)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from jobharness.brokers.broker import Broker
from jobharness.errors import InvalidRequest
from jobharness.history.event import Kind
from jobharness.queues.asking import asking_redis, check_settings
from jobharness.queues.queue import Advice, App, Counts, Held, LeaseTerms, Limit
from jobharness.scenario.model import QueueSpec

__all__ = ["RqQueue"]

POOLS = {"fork": "rq.worker.Worker", "simple": "rq.worker.SimpleWorker", "spawn": "rq.worker.SpawnWorker"}
SETTINGS = (
    "default_timeout", "worker_ttl", "default_result_ttl", "maintenance_interval", "job_monitoring_interval", "with_scheduler",
)  # fmt: skip
REGISTRIES = {
    "wip": "running (in the registry of started jobs)",
    "scheduled": "scheduled for later",
    "deferred": "waiting for another job",
}


class RqQueue:
    """RQ workers by `rq worker`. The URL of Redis reaches it as RQ_REDIS_URL, in the scenario's queue.env."""

    library = "rq"
    preload = ("rq", "rq.cli.cli", "rq.worker", "rq.scheduler", "redis", "redis.asyncio")
    # rq/worker/base.py, heartbeat: when it was last alive, and for how long that is to be kept, whatever it does.
    heartbeats = ("HSET rq:worker:# last_heartbeat *", "EXPIRE rq:worker:# #")
    mishaps = True
    brokers = ("redis",)
    shapes = {"chain": "`depends_on`", "group": "one after the other", "chord": "`depends_on` all of them"}
    ticks = "its function, by `rq cron` (RQ 2.4)"
    # rq/queue.py (lmove into the intermediate list), rq/worker: execution noted, job started by the work-horse, success handled.
    steps = {
        "redis": {
            "take": "reply *LMOVE",
            "note": "EXEC has=rq:execution: by=workers",
            "start": "EXEC has=:intermediate by=workers",
            "ack": "EXEC has=rq:results: by=workers",
        }
    }
    reports = frozenset(
        (
            Kind.ENQUEUE_BEGIN, Kind.ENQUEUE_ACKNOWLEDGED, Kind.ENQUEUE_NOT_BEFORE, Kind.JOB_RECEIVED, Kind.JOB_RUNNING,
            Kind.JOB_FINISHED, Kind.JOB_FAILED, Kind.JOB_RETRIED, Kind.JOB_DEAD, Kind.JOB_TIMED_OUT, Kind.JOB_SETTLED,
            Kind.WORKER_READY, Kind.WORKER_STOPPING, Kind.SCHEDULE_TICK,
        )
    )  # fmt: skip

    def __init__(self, spec: QueueSpec) -> None:
        if spec.pool is not None and spec.pool not in POOLS:
            raise InvalidRequest(f"queue.pool: RQ has the kinds {', '.join(POOLS)}, not {spec.pool!r}")
        if spec.concurrency not in (None, 1):
            raise InvalidRequest("queue.concurrency: an RQ worker runs one job at a time; set queue.workers instead")
        check_settings("RQ", spec.settings, SETTINGS)
        self._spec = spec

    def worker_command(self, python: Path, name: str) -> list[str]:
        """`rq worker`. RQ names it: a name of ours would be refused to the replacement until the dead worker's has expired."""
        script = python.parent / "rq"
        command = [*([str(script)] if script.exists() else [str(python), "-m", "rq.cli"]), "worker"]
        if self._spec.pool is not None:
            command += ["--worker-class", POOLS[self._spec.pool]]
        return [*command, *self._spec.arguments]

    def recovers_within_s(self, broker: str, app: App) -> float:
        """A started job is abandoned when its heartbeat of `job_monitoring_interval` and 60 s has run out (rq/worker: base.py,
        get_heartbeat_ttl); a popped one a minute after a sweep has first seen it in no registry (rq/intermediate_queue.py). The
        one minute comes after the other where the worker died between entering the job as started and marking it so: when the
        heartbeat has run out, the sweep takes it from the registry and does nothing more (registry.py, cleanup).

        Sweeps come every `maintenance_interval`, and only between two jobs or when the wait for one, `worker_ttl` less 15 s, is
        over (base.py, should_run_maintenance_tasks, dequeue_timeout). Before RQ 1.15 a popped job is in no list, and never comes
        back.
        """
        sweep_s = float(app.settings["maintenance_interval"]) + max(1.0, float(app.settings["worker_ttl"]) - 15)
        started_s = float(app.settings["job_monitoring_interval"]) + 60
        return started_s + sweep_s + 60 + sweep_s

    def shortened(self, broker: str, app: App, lease_s: float) -> dict[str, Any]:
        """A sweep every second; the minute is RQ's own, and no setting."""
        settings = {"maintenance_interval": 1, "worker_ttl": 16, "job_monitoring_interval": max(1, math.ceil(lease_s))}
        return {name: value for name, value in settings.items() if float(app.settings[name]) > value}

    def passable_s(self, broker: str, app: App) -> Sequence[float]:
        """The heartbeat of a started job, then the minute of a popped one: both are compared with the time of day of the worker
        that sweeps (registry.py, get_expired_job_ids; rq/intermediate_queue.py, should_be_cleaned_up)."""
        return (float(app.settings["job_monitoring_interval"]) + 60, 60.0)

    def advice(self, broker: str) -> Sequence[Advice]:
        """What https://python-rq.org/docs/exceptions/ says of retries, and https://python-rq.org/docs/workers/ of maintenance."""
        retry = Advice(
            "retries", "an abandoned job is run again, and not failed; it may run twice", options={"retry": {"max": 3}}
        )
        often = {"maintenance_interval": 30, "worker_ttl": 30}
        return [retry, Advice("frequent maintenance", "abandoned jobs are found within two minutes; more queries", often)]

    def lease(self, broker: str, app: App) -> LeaseTerms:
        """The heartbeat of a started job, which its worker's main process renews while the work-horse runs; the job's timeout
        ends a run."""
        lasts_s = float(app.settings["job_monitoring_interval"]) + 60
        sweep_s = float(app.settings["maintenance_interval"]) + max(1.0, float(app.settings["worker_ttl"]) - 15)
        return LeaseTerms(
            "the job's heartbeat, a minute longer than the interval of its renewal", "job_monitoring_interval", lasts_s, sweep_s,
            renewed_s=float(app.settings["job_monitoring_interval"]), spare_s=60.0, scales=True,
            limit=Limit("job_timeout", float(app.settings["default_timeout"])),
        )  # fmt: skip

    def agent_library(self) -> str:
        """The module jobharness.agent.libraries.rq."""
        return "rq"

    def counts(self, broker: Broker, app: App) -> Counts:
        """Of all queues that Redis knows. Running: started, or popped and not yet started."""
        client = broker.client()
        with asking_redis():
            names = _queues(client)
            pipeline = client.pipeline(transaction=False)
            for name in names:
                pipeline.llen(f"rq:queue:{name}")
                pipeline.llen(f"rq:queue:{name}:intermediate")
                for registry in ("wip", "scheduled", "deferred", "failed"):
                    pipeline.zcard(f"rq:{registry}:{name}")
            found = pipeline.execute()
        waiting, popped, running, scheduled, deferred, failed = (sum(found[place::6]) for place in range(6))
        # With several workers a job is in both lists for a moment: popped, then started.
        return Counts(waiting=waiting, running=max(popped, running), delayed=scheduled + deferred, dead=failed)

    def held(self, broker: Broker, app: App) -> Iterable[Held]:
        """The jobs in the queues' lists, in the lists of popped jobs, and in the registries of unfinished ones."""
        client = broker.client()
        with asking_redis():
            for name in _queues(client):
                for job_id in client.lrange(f"rq:queue:{name}", 0, -1):
                    yield Held(job_id.decode(), f"waiting in the queue {name!r}")
                started = {_job_id(entry) for entry in client.zrange(f"rq:wip:{name}", 0, -1)}
                for job_id in client.lrange(f"rq:queue:{name}:intermediate", 0, -1):
                    if job_id.decode() not in started:
                        yield Held(job_id.decode(), f"popped from the queue {name!r}, not started (in the intermediate list)")
                for registry, where in REGISTRIES.items():
                    for entry in client.zrange(f"rq:{registry}:{name}", 0, -1):
                        yield Held(_job_id(entry), f"{where}, queue {name!r}")

    def dead(self, broker: Broker, app: App) -> Iterable[Held]:
        """The jobs in the registries of failed jobs."""
        client = broker.client()
        with asking_redis():
            for name in _queues(client):
                for entry in client.zrange(f"rq:failed:{name}", 0, -1):
                    yield Held(_job_id(entry), f"in the registry of failed jobs of the queue {name!r}")


def _queues(client: Any) -> list[str]:
    return sorted(key.decode().removeprefix("rq:queue:") for key in client.smembers("rq:queues"))


def _job_id(entry: bytes) -> str:
    """RQ 2 writes job:execution into the registry of started jobs."""
    return entry.decode().partition(":")[0]
