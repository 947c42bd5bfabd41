"""The [contract] of a scenario: which promises are asked for, each with its bounds. What they mean stands in
`jobharness.contracts`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from jobharness.scenario.part import Part
from jobharness.scenario.units import Duration, Share, Size

__all__ = ["BackoffSpec", "ContractSpec", "InvariantSpec"]


class EffectSpec(Part):
    """Each effect of a job is applied once."""

    tasks: tuple[str, ...] = ()
    """Tasks whose acknowledged jobs must have an effect; the others may have none."""


class BackoffSpec(Part):
    """How long a failed job waits at least before it is run again."""

    first: Duration
    """The least wait before the first retry."""
    factor: float = Field(default=1.0, ge=1)
    """By how much each further wait grows."""
    cap: Duration = float("inf")
    """What the waits grow to."""
    jitter: Share = Field(default=0.0, le=1)
    """The share by which a wait may be shorter."""


class TimeLimitSpec(Part):
    """How long an execution may go on."""

    soft: Duration | None = None
    """When the library interrupts the task."""
    hard: Duration | None = None
    """When the library ends it."""
    grace: Duration = 1.0
    """How long after the limit it must have ended."""
    tasks: tuple[str, ...] = ()
    """The tasks that have the limit; all where it is left out."""
    slot_freed: Duration | None = None
    """How long after a time-out its worker must take another job, where there is work."""

    @model_validator(mode="after")
    def _some_limit(self) -> TimeLimitSpec:
        if self.soft is None and self.hard is None:
            raise ValueError("a time limit needs soft or hard")
        if self.soft is not None and self.hard is not None and self.soft > self.hard:
            raise ValueError("the soft limit is longer than the hard one")
        return self


class RateSpec(Part):
    """How many may begin within any window of time."""

    at_most: int = Field(ge=1)
    """How many."""
    within: Duration = Field(gt=0)
    """The length of the window."""
    per: Literal["run", "task", "key"] = "run"
    """Counted for the whole run, for each task, or for each key (`key` of a job)."""


class ConcurrencySpec(Part):
    """How many executions may be under way at once."""

    at_most: int = Field(default=1, ge=1)
    """How many; 1 is mutual exclusion."""
    per: Literal["run", "task", "key"] = "run"
    """Counted for the whole run, for each task, or for each key (`key` of a job)."""


class PoisonSpec(Part):
    """What jobs that kill, hang or always fail may cost the others."""

    tasks: tuple[str, ...] = Field(min_length=1)
    """The poisonous tasks."""
    max_delay: Duration
    """How long a healthy job may wait."""
    max_workers_lost: int = Field(default=0, ge=0)
    """How many workers may exit."""


class ThroughputSpec(Part):
    """How soon after a fault the queue is as fast as before."""

    within: Duration
    """How long after a strike."""
    share: Share = Field(default=0.9, gt=0)
    """The share of the median before the first strike."""


class ResourcesSpec(Part):
    """What a worker process may use."""

    memory_per_1000_jobs: Size | None = None
    """Growth of resident memory, such as "1MB"."""
    descriptors_per_1000_jobs: float | None = Field(default=None, ge=0)
    """Growth of open file descriptors."""
    cpu_per_job: Duration | None = None
    """Processor time."""
    memory_share: Share | None = None
    """Of its memory limit, such as "85%"."""
    fewest_jobs: int = Field(default=100, ge=1)
    """How many jobs a process must have run to be judged."""

    @model_validator(mode="after")
    def _some_bound(self) -> ResourcesSpec:
        bounds = [name for name in type(self).model_fields if name != "fewest_jobs"]
        if all(getattr(self, name) is None for name in bounds):
            raise ValueError(
                "resources need a bound: memory_per_1000_jobs, descriptors_per_1000_jobs, cpu_per_job or memory_share"
            )
        return self


class AlertSpec(Part):
    """An alarm that must ring."""

    name: str = Field(min_length=1)
    """The alert's name in its rule, such as "WorkerDown"."""
    within: Duration = Field(gt=0)
    """How long after the fault it rings at the latest."""
    fault: str = ""
    """The fault that it is for, by its name, such as "kill#1"; the first of any where it is left out."""


class ReportedSpec(Part):
    """Where deaths are reported."""

    sentry: Literal["once", "at least once"]
    """How often each dead job is reported to Sentry; the app gets {sentry.dsn} through `queue.env`."""


class InvariantSpec(Part):
    """What must be true of the app's own data once the queue has drained."""

    name: str = Field(min_length=1)
    """What it is called, such as "no order is charged twice"."""
    sql: str | None = None
    """A query for what is wrong, such as "SELECT id FROM charges GROUP BY id HAVING count(*) > 1"; it may only read."""
    database: str | None = None
    """Where it is asked: a SQLite file or an address, such as "{run.folder}/shop.sqlite3" or "postgresql://..."; the broker where
    it is left out."""
    expect: Literal["empty"] = "empty"
    """What the query must answer: no rows."""
    check: str | None = None
    """"module:function" of the app, called in its environment: it returns what is wrong (nothing, None or True: all is well), or
    raises AssertionError."""

    @model_validator(mode="after")
    def _one_way_to_look(self) -> InvariantSpec:
        if (self.sql is None) == (self.check is None):
            raise ValueError("an invariant needs either sql or check")
        if self.check is not None and ":" not in self.check:
            raise ValueError(f'check must name a function as "module:function", not {self.check!r}')
        if self.check is not None and self.database is not None:
            raise ValueError("database goes with sql; a check opens what it needs itself")
        return self


class ContractSpec(Part):
    """What must hold. `no_phantoms` always does."""

    delivery: Literal["at-least-once", "at-most-once", "exactly-once"] | None = None
    """The promise about how often a job is delivered."""
    effect: EffectSpec | None = None
    """Each effect is applied once, however often its job is delivered; `effect = {}` is enough."""
    recovery: Duration | None = None
    """Each job that a fault hit is completed within this time; it also bounds the drain."""
    max_attempts: int | None = Field(default=None, ge=1)
    """No job is executed more often."""
    backoff: BackoffSpec | None = None
    """No job is retried too soon."""
    time_limit: TimeLimitSpec | None = None
    """No execution goes on for too long."""
    rate_limit: tuple[RateSpec, ...] = ()
    """No window of time has too many starts."""
    upstream_rate_limit: tuple[RateSpec, ...] = ()
    """No window of time has too many upstream calls."""
    concurrency: tuple[ConcurrencySpec, ...] = ()
    """Not too many executions at once."""
    lease: bool = False
    """No two live owners of a job, no settlement by a stale one."""
    not_before: Duration | None = None
    """No delayed job begins before its time by more than this, such as "10ms"."""
    deadline: Duration | None = None
    """Every job is completed within this time of its arrival."""
    schedule_lateness: Duration | None = None
    """Every delayed job begins within this time of its own."""
    links: bool = False
    """Each job of a chain or chord runs once those before it have finished; with delivery at least once it always is asked."""
    once_per_delivery: bool = False
    """Each webhook delivery is taken by the app, and takes effect once, however often it is sent."""
    one_run_per_tick: bool = False
    """Each tick of a schedule runs its job once."""
    fifo_per_key: bool = False
    """Jobs of one key begin in the order of their enqueues."""
    priority: Share | None = None
    """No more than this share of jobs overtakes a more urgent one, such as "0%"."""
    starvation: Duration | None = None
    """No job of any kind waits longer for its first execution."""
    dead_letters: Literal["kept", "kept and reported"] | None = None
    """Each exhausted job is where failed jobs belong, once (and was reported once)."""
    poison: PoisonSpec | None = None
    """Poisonous jobs do not hold up the healthy ones."""
    throughput: ThroughputSpec | None = None
    """Throughput is back some time after a fault."""
    drain: Duration | None = None
    """The queue is drained this long after the last job was sent."""
    graceful_stop: Duration | None = None
    """A worker asked to stop finishes its jobs and exits within this time."""
    workers_stay_up: bool = False
    """No worker exits that no fault ended."""
    resources: ResourcesSpec | None = None
    """Workers do not grow with their jobs."""
    failures_visible: bool = False
    """Each dead job left a log line, a metric or an error report."""
    reported: ReportedSpec | None = None
    """Each dead job is reported as an error, with its task and exception; no retry is."""
    health: Duration | None = None
    """The service's health URL answers 200 for no longer than this while no worker takes jobs."""
    invariant: tuple[InvariantSpec, ...] = ()
    """What must be true of the app's own data at the end; in a crash map, after each trial."""
    alert: tuple[AlertSpec, ...] = ()
    """Each alarm rings soon after its fault; in a scenario without faults none rings."""
