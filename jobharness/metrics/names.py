"""Every metric of a run: its name here, the name under which it is published, its unit, what it means.

Published names and units follow OpenTelemetry's semantic conventions for messaging where one exists (a histogram
there is percentiles of exact data here), `jobharness_*` with base units otherwise. The table in the docs is made
from this one.
"""

from __future__ import annotations

from dataclasses import dataclass

from jobharness.metrics.percentile import PERCENTILES

__all__ = ["DEFINITIONS", "Definition", "markdown"]


@dataclass(frozen=True)
class Definition:
    """One metric, or a family of percentiles (its name ends in `.*`)."""

    name: str
    published: str
    unit: str
    meaning: str

    @property
    def names(self) -> tuple[str, ...]:
        """The names that it has in a report and in [gate]."""
        return tuple(self.name.replace("*", part) for part in PERCENTILES) if self.name.endswith("*") else (self.name,)


DEFINITIONS = (
    Definition(
        "throughput",
        "jobharness_throughput",
        "1/s",
        "completed jobs per second, from the first intended arrival to the last completion",
    ),
    Definition("jobs.acknowledged", "messaging.client.sent.messages", "jobs", "jobs whose enqueue was acknowledged"),
    Definition(
        "jobs.refused", "jobharness_jobs_refused", "jobs", "never acknowledged, as the send raised before anything was sent"
    ),
    Definition("jobs.unknown", "jobharness_jobs_unknown", "jobs", "never acknowledged, and may be there or not: nobody knows"),
    Definition("jobs.completed", "messaging.client.consumed.messages", "jobs", "jobs whose code returned at least once"),
    Definition("jobs.lost", "jobharness_jobs_lost", "jobs", "acknowledged, never completed, and not held by the broker"),
    Definition("jobs.stuck", "jobharness_jobs_stuck", "jobs", "acknowledged, never completed, still held by the broker"),
    Definition(
        "jobs.duplicated", "jobharness_jobs_duplicated", "jobs", "completed twice, or run more often than retries explain"
    ),
    Definition("jobs.dead", "jobharness_jobs_dead", "jobs", "given up by the library"),
    Definition("attempts.mean", "jobharness_attempts_per_job", "1", "executions per job that ran"),
    Definition("error_rate", "jobharness_error_ratio", "1", "executions that raised, of all executions"),
    Definition("backlog.peak", "jobharness_backlog_peak", "jobs", "the most jobs acknowledged and not yet begun at any moment"),
    Definition("enqueue.*", "messaging.client.operation.duration", "s", "from the begin of a send to its acknowledgement"),
    Definition("wait.*", "jobharness_wait_seconds", "s", "from the intended arrival to the first execution"),
    Definition("latency.*", "jobharness_latency_seconds", "s", "from the intended arrival to the first completion"),
    Definition("run_time.*", "messaging.process.duration", "s", "of each execution that ended"),
    Definition("faults.strikes", "jobharness_fault_strikes", "1", "strikes of all faults"),
    Definition("faults.jobs_hit", "jobharness_fault_jobs_hit", "jobs", "jobs in flight where a fault struck, for each strike"),
    Definition("recovery.never", "jobharness_recovery_never", "jobs", "of the jobs hit: those that were never completed"),
    Definition(
        "recovery.p50",
        "jobharness_recovery_seconds",
        "s",
        "from a strike to the completion of a job that it hit (`never` where it was not completed): the median",
    ),
    Definition("recovery.max", "jobharness_recovery_seconds", "s", "the same: the longest"),
    Definition("drain", "jobharness_drain_seconds", "s", "from the last send to the last completion"),
    Definition("producer.late", "jobharness_producer_late", "jobs", "sends that began more than 1 ms after their moment"),
    Definition("producer.lateness.max", "jobharness_producer_lateness_seconds", "s", "the latest of them"),
    Definition(
        "producer.off_schedule",
        "jobharness_producer_off_schedule_ratio",
        "1",
        "sends that began more than 50 ms after their moment, of all; above 1% the run is marked and not averaged",
    ),
    Definition(
        "worker.cpu_per_job",
        "jobharness_worker_cpu_seconds_per_job",
        "s",
        "processor time of all workers per execution that ended",
    ),
    Definition(
        "worker.memory.peak", "jobharness_worker_memory_bytes", "By", "the most resident memory of a worker at any sample"
    ),
    Definition(
        "log.bytes_per_job", "jobharness_log_bytes_per_job", "By", "what the workers' logs grew by, per execution that ended"
    ),
    Definition(
        "worker.cpu_share.peak",
        "jobharness_worker_cpu_ratio",
        "1",
        "the most of one processor that one worker process used, between its first sample and its last",
    ),
    Definition(
        "broker.round_trips_per_job",
        "jobharness_broker_messages_per_job",
        "1",
        "messages to the broker per completed job (those about several jobs once for each), where the wire recorded them",
    ),
    Definition("broker.bytes_per_job", "jobharness_broker_bytes_per_job", "By", "bytes to and from the broker per completed job"),
    Definition("upstream.requests", "jobharness_upstream_requests", "1", "requests that reached the upstream"),
    Definition("upstream.throttled", "jobharness_upstream_throttled", "1", "of them answered with 429"),
    Definition("upstream.requests_per_job", "jobharness_upstream_requests_per_job", "1", "requests per job that sent any"),
)


def markdown() -> str:
    """The table for the docs."""
    rows = [f"| `{one.name}` | `{one.published}` | {one.unit} | {one.meaning} |" for one in DEFINITIONS]
    return "\n".join(["| metric | published as | unit | meaning |", "| --- | --- | --- | --- |", *rows])
