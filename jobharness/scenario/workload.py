"""The jobs of a scenario: which kinds of them arrive, when, with what arguments, and how each is sent."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from jobharness.scenario.arrivals import Arrivals
from jobharness.scenario.part import Part
from jobharness.scenario.promises import BackoffSpec
from jobharness.scenario.units import Duration, Share

__all__ = ["DeliverySpec", "JobSpec", "WorkloadSpec"]


class LinkSpec(Part):
    """One job of a chain, a group or a chord. Its arguments are filled in as a job's are."""

    task: str
    """Name of the task, as the library knows it."""
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = {}
    options: dict[str, Any] = {}
    """What the library's own signature, message or call takes besides, such as immutable (Celery) or pipe_ignore (Dramatiq)."""


class DeliverySpec(Part):
    """How a job that is sent by `post` is delivered as webhooks are: signed, again when it is not taken, twice, out of order."""

    id: str = "id"
    """The field of the body that names the delivery: the same at every try."""
    tries: int = Field(default=5, ge=1, le=50)
    """How often it is sent until it is taken, which is an answer of 200 to 299."""
    backoff: BackoffSpec = BackoffSpec(first=0.5, factor=2.0, cap=30.0)
    """How long the sender waits between two tries."""
    timeout: Duration = Field(default=5.0, gt=0)
    """How long it waits for an answer."""
    duplicates: Share = Field(default=0.0, le=1)
    """The share of deliveries that are sent once more although they were taken."""
    again_after: Duration = 0.2
    """How long after it was taken such a one comes again."""
    late: Share = Field(default=0.0, le=1)
    """The share of deliveries that are held up on their way, so that younger ones come first."""
    late_by: Duration = 1.0
    """For how long they are held up at most."""
    sign: Literal["none", "stripe", "github"] = "none"
    """Whose signature it carries: "stripe" (Stripe-Signature: t=…,v1=…) or "github" (X-Hub-Signature-256: sha256=…)."""
    secret_env: str = ""
    """The variable of queue.env, or of the environment, that holds the secret of the signature."""

    @model_validator(mode="after")
    def _secret_where_signed(self) -> DeliverySpec:
        if (self.sign == "none") != (not self.secret_env):
            raise ValueError('a signed delivery has both `sign` and `secret_env`, such as "stripe" and "HOOK_SECRET"')
        return self


class JobSpec(Part):
    """One kind of job in the mix: sent by calling its task, by a request to the app's service, or as a chain or group."""

    task: str | None = None
    """Name of the task, as the library knows it."""
    post: str | None = None
    """Path of the service's endpoint that enqueues, instead of `task`; the arguments are its JSON body."""
    chain: tuple[LinkSpec, ...] = ()
    """Instead of `task`: jobs of which each begins when the one before has finished, by the library's own means."""
    group: tuple[LinkSpec, ...] = ()
    """Instead of `task`: jobs that are sent together, by the library's own means."""
    then: LinkSpec | None = None
    """With `group`: what begins when all of the group have finished; together they are a chord."""
    job_id: str = "job_id"
    """With `post`: the field of the answer that holds the job's id."""
    delivery: DeliverySpec | None = None
    """With `post`: that it comes as a webhook does."""
    weight: float = Field(default=1.0, ge=0)
    """Share in the mix, relative to the other jobs."""
    args: tuple[Any, ...] = ()
    """Positional arguments; "{faker.NAME}" and "{faker.NAME:key=value}" are filled in by Faker."""
    kwargs: dict[str, Any] = {}
    """Keyword arguments, filled in the same way."""
    options: dict[str, Any] = {}
    """What the library's own send call takes besides, such as countdown or priority."""
    key: str = ""
    """What order and limits go by, filled in likewise, such as "customer-{row.customer}"; "" is no key."""
    rows: str | None = None
    """A file (CSV, JSONL, Parquet) whose columns fill "{row.COLUMN}", a row a job."""
    burst: int = Field(default=1, ge=1)
    """Fan-out: how many such jobs are sent at each arrival."""

    @model_validator(mode="after")
    def _one_way_in(self) -> JobSpec:
        given = [name for name in ("task", "post", "chain", "group") if getattr(self, name)]
        if len(given) != 1:
            seen = f", not {' and '.join(given)}" if given else ""
            raise ValueError(f"a job has one of `task`, `post`, `chain` and `group`{seen}")
        if (self.chain or self.group) and (self.args or self.kwargs or self.options):
            raise ValueError("the arguments of a chain or group stand with each of its jobs")
        if len(self.chain) == 1:
            raise ValueError("a chain has at least two jobs")
        if self.then is not None and not self.group:
            raise ValueError("`then` goes with `group`")
        if self.delivery is not None and (self.post is None or self.delivery.id not in self.kwargs):
            raise ValueError("a `delivery` goes with `post`, and its `id` is a field of `kwargs`")
        if self.post is not None and self.args:
            raise ValueError("a job sent by `post` takes `kwargs` (its JSON body), not `args`")
        return self

    @property
    def shape(self) -> Literal["single", "chain", "group", "chord"]:
        """What it is sent as."""
        return "chain" if self.chain else "chord" if self.then is not None else "group" if self.group else "single"

    @property
    def links(self) -> tuple[LinkSpec, ...]:
        """The jobs of a chain, group or chord, the one that waits for the others last; none where it is a single job."""
        return (*self.chain, *self.group, *([self.then] if self.then is not None else []))

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that it calls, by name."""
        return tuple(dict.fromkeys([self.task] if self.task is not None else [link.task for link in self.links]))

    @property
    def name(self) -> str:
        """What it is called: its task, or what its jobs are, such as "chain of shop.charge, shop.send_receipt"."""
        return self.task or self.post or f"{self.shape} of {', '.join(link.task for link in self.links)}"


class CronSpec(Part):
    """An entry of the app's own schedule, which its scheduler is to enqueue all along."""

    entry: str = Field(min_length=1)
    """What the library calls it: the key of Celery's beat_schedule; the task's name with Huey, arq and SAQ."""
    every: Duration = Field(gt=0)
    """How often it comes due."""


class WorkloadSpec(Part):
    """Which jobs arrive, when, with what arguments: `arrivals` with a `duration`, or a `trace` that is replayed."""

    arrivals: Arrivals | None = None
    duration: Duration = Field(default=0.0, gt=0)
    """How long jobs arrive; with a trace, what of it is replayed, and all of it where it is left out."""
    job: tuple[JobSpec, ...] = ()
    cron: tuple[CronSpec, ...] = ()
    """What the app's scheduler enqueues by itself meanwhile; judged by `one_run_per_tick`, which is asked for with it."""
    locale: str = "en_US"
    """Locale of Faker's arguments."""
    trace: str | None = None
    """A recorded trace to replay, instead of `arrivals` (see `jobharness record`)."""
    speed: float = Field(default=1.0, gt=0)
    """With a trace: how many times faster than it was recorded."""
    scale: float = Field(default=1.0, gt=0)
    """With a trace: how many jobs are sent for each that was recorded."""
    run_time: str | None = None
    """With a trace: the keyword argument that tells a task its recorded run time, s."""
    size: str | None = None
    """With a trace: the keyword argument that tells a task its recorded size, bytes."""
    payload: str | None = None
    """With a trace: the keyword argument that is given a text of the recorded size."""

    @model_validator(mode="after")
    def _one_source(self) -> WorkloadSpec:
        alone = self.cron and self.arrivals is None and self.trace is None
        if alone and self.duration > 0 and not self.job:
            return self
        if (self.arrivals is None) == (self.trace is None):
            raise ValueError("a workload has either `arrivals` or `trace`")
        if self.arrivals is not None:
            if self.duration <= 0 and self.arrivals.process not in ("backlog", "closed"):
                raise ValueError("a workload with `arrivals` needs a `duration` of more than 0")
            if not self.job:
                raise ValueError("a workload with `arrivals` needs at least one [[workload.job]]")
        elif any(job.task is None for job in self.job):
            raise ValueError("with a trace, a [[workload.job]] says how a recorded `task` is called, and nothing else")
        if self.job and not any(job.weight > 0 for job in self.job):
            raise ValueError("every job has weight 0, so there is nothing to send")
        return self
