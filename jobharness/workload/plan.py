"""The plan of a run: every job with its moment and arguments, made from the seed before anything starts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, Protocol

from jobharness.clock import NS_PER_S
from jobharness.workload.arguments import Arguments
from jobharness.workload.arrivals import ArrivalProcess, arrivals_ns
from jobharness.workload.distributions import payload
from jobharness.workload.rows import endless_rows
from jobharness.workload.trace import replayed

__all__ = ["JobKind", "Link", "Workload", "planned_jobs", "write_plan"]


class Link(Protocol):
    """One job of a chain, a group or a chord (see `scenario.workload.LinkSpec`)."""

    @property
    def task(self) -> str: ...
    @property
    def args(self) -> Sequence[Any]: ...
    @property
    def kwargs(self) -> Mapping[str, Any]: ...
    @property
    def options(self) -> Mapping[str, Any]: ...


class Backoff(Protocol):
    """How long a sender waits between tries (see `scenario.promises.BackoffSpec`)."""

    @property
    def first(self) -> float: ...
    @property
    def factor(self) -> float: ...
    @property
    def cap(self) -> float: ...
    @property
    def jitter(self) -> float: ...


class Delivery(Protocol):
    """How a webhook is delivered (see `scenario.workload.DeliverySpec`)."""

    @property
    def id(self) -> str: ...
    @property
    def tries(self) -> int: ...
    @property
    def backoff(self) -> Backoff: ...
    @property
    def timeout(self) -> float: ...
    @property
    def duplicates(self) -> float: ...
    @property
    def again_after(self) -> float: ...
    @property
    def late(self) -> float: ...
    @property
    def late_by(self) -> float: ...
    @property
    def sign(self) -> str: ...
    @property
    def secret_env(self) -> str: ...


class JobKind(Protocol):
    """One kind of job in the mix, as a scenario says it (see `scenario.workload.JobSpec`)."""

    @property
    def task(self) -> str | None: ...
    @property
    def post(self) -> str | None: ...
    @property
    def chain(self) -> Sequence[Link]: ...
    @property
    def group(self) -> Sequence[Link]: ...
    @property
    def then(self) -> Link | None: ...
    @property
    def shape(self) -> str: ...
    @property
    def job_id(self) -> str: ...
    @property
    def delivery(self) -> Delivery | None: ...
    @property
    def weight(self) -> float: ...
    @property
    def args(self) -> Sequence[Any]: ...
    @property
    def kwargs(self) -> Mapping[str, Any]: ...
    @property
    def options(self) -> Mapping[str, Any]: ...
    @property
    def key(self) -> str: ...
    @property
    def rows(self) -> str | None: ...
    @property
    def burst(self) -> int: ...


class Workload(Protocol):
    """Which jobs arrive and when (see `scenario.workload.WorkloadSpec`)."""

    @property
    def arrivals(self) -> ArrivalProcess | None: ...
    @property
    def duration(self) -> float: ...
    @property
    def job(self) -> Sequence[JobKind]: ...
    @property
    def locale(self) -> str: ...
    @property
    def trace(self) -> str | None: ...
    @property
    def speed(self) -> float: ...
    @property
    def scale(self) -> float: ...
    @property
    def run_time(self) -> str | None: ...
    @property
    def size(self) -> str | None: ...
    @property
    def payload(self) -> str | None: ...


class _Maker:
    """Makes jobs of one kind, with its own stream of the seed."""

    def __init__(self, job: JobKind, locale: str, random: Random, project: Path, chance: Random) -> None:
        rows = endless_rows(project / job.rows) if job.rows is not None else None
        self._job, self._chance = job, chance
        self._links = [*job.chain, *job.group, *([job.then] if job.then is not None else [])]
        calls: list[JobKind | Link] = [job, *self._links]
        templates = [part for call in calls for part in (call.args, call.kwargs, call.options)]
        self._arguments = Arguments([*templates, job.key], locale, random, rows)

    def make(self, service_url: str) -> dict[str, Any]:
        """The next one, in the producer's form."""
        job, fill = self._job, self._arguments.fill
        if self._links:
            made: dict[str, Any] = {"shape": job.shape, "links": [self._call(link) for link in self._links]}
        elif job.post is not None:
            request = {"method": "POST", "url": service_url + job.post, "body": fill(job.kwargs), "job_id": job.job_id}
            made = {"http": request}
            if job.delivery is not None:
                made["delivery"] = _delivered(job.delivery, str(request["body"][job.delivery.id]), self._chance)
        else:
            made = self._call(job)
        if job.key:
            made["group"] = str(fill(job.key))
        self._arguments.turn()
        return made

    def _call(self, call: JobKind | Link) -> dict[str, Any]:
        fill = self._arguments.fill
        return {"task": call.task, "args": fill(call.args), "kwargs": fill(call.kwargs), "options": fill(call.options)}


def _delivered(spec: Delivery, name: str, chance: Random) -> dict[str, Any]:
    """What the sender of one webhook will do, whatever is answered: all of it is drawn here, so that the seed decides."""
    backoff = spec.backoff
    pauses = [min(backoff.first * backoff.factor**number, backoff.cap) for number in range(spec.tries - 1)]
    late_s = chance.random() * spec.late_by if chance.random() < spec.late else 0.0
    return {
        "id": name,
        "late_ns": round(late_s * NS_PER_S),
        "again_ns": [round(spec.again_after * NS_PER_S)] if chance.random() < spec.duplicates else [],
        "pauses_ns": [round(pause * (1 - backoff.jitter * chance.random()) * NS_PER_S) for pause in pauses],
        "timeout_s": spec.timeout,
        "sign": spec.sign,
        "secret_env": spec.secret_env,
    }


def planned_jobs(workload: Workload, seed: int, service_url: str = "", project: Path = Path()) -> Iterator[dict[str, Any]]:
    """The jobs of the plan in order of arrival, in the form that the producer reads. Memory stays flat.

    Arrivals, choice of job and the arguments of each kind draw from streams of the seed of their own, so that a
    change of one leaves the others.
    `project`: what paths of rows and traces are relative to.
    """
    makers = [
        _Maker(job, workload.locale, Random(f"{seed}:arguments:{number}"), project, Random(f"{seed}:deliveries:{number}"))
        for number, job in enumerate(workload.job)
    ]
    if workload.arrivals is None and workload.trace is None:
        return  # The app's own schedule is all there is.
    if workload.arrivals is None:
        yield from _replay(workload, makers, Random(f"{seed}:scale"), service_url, project)
        return
    choice = Random(f"{seed}:mix")
    weights = [job.weight for job in workload.job]
    kinds = list(zip(workload.job, makers, strict=True))
    process = workload.arrivals.process
    due = {"in_flight": workload.arrivals.in_flight} if process == "closed" else {"at_once": True} if process == "backlog" else {}
    duration_s = workload.duration or float("inf")
    for at_ns in arrivals_ns(workload.arrivals, duration_s, Random(f"{seed}:arrivals")):
        ((job, maker),) = choice.choices(kinds, weights) if len(kinds) > 1 else kinds
        for _ in range(job.burst):
            yield {"at_ns": at_ns, **due, **maker.make(service_url)}


def _replay(
    workload: Workload, makers: Sequence[_Maker], random: Random, service_url: str, project: Path
) -> Iterator[dict[str, Any]]:
    """The jobs of a trace. A task of [[workload.job]] is called as that says, any other with its recorded arguments,
    if any."""
    assert workload.trace is not None
    known = {job.task: maker for job, maker in zip(workload.job, makers, strict=True)}
    for one in replayed(project / workload.trace, workload.speed, workload.scale, workload.duration, random):
        maker = known.get(one.task)
        recorded: dict[str, Any] = {"task": one.task, "args": list(one.args), "kwargs": dict(one.kwargs), "options": {}}
        call = maker.make(service_url) if maker else recorded
        told: dict[str | None, Any] = {workload.run_time: one.run_time_s, workload.size: one.size_bytes}
        if workload.payload is not None and one.size_bytes is not None:
            told[workload.payload] = payload(one.size_bytes)
        call["kwargs"] = {**call["kwargs"], **{name: value for name, value in told.items() if name and value is not None}}
        yield {"at_ns": one.at_ns, **call}


def write_plan(jobs: Iterable[Mapping[str, Any]], path: Path, *, app: str, library: str) -> int:
    """Write a plan for the producer and return the number of jobs in it. All or nothing: the file is there once it is whole."""
    count = 0
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("w", encoding="utf-8") as out:
            out.write(json.dumps({"app": app, "library": library}) + "\n")
            for job in jobs:
                out.write(json.dumps(job, ensure_ascii=False) + "\n")
                count += 1
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return count
