"""The plan of a run: every job with its moment and arguments, made from the seed before anything starts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, Protocol

from jobharness.workload.arguments import Arguments
from jobharness.workload.arrivals import ArrivalProcess, arrivals_ns

__all__ = ["JobKind", "Workload", "planned_jobs", "write_plan"]


class JobKind(Protocol):
    """One kind of job in the mix, as a scenario says it (see `scenario.model.JobSpec`)."""

    @property
    def task(self) -> str | None: ...
    @property
    def post(self) -> str | None: ...
    @property
    def job_id(self) -> str: ...
    @property
    def weight(self) -> float: ...
    @property
    def args(self) -> Sequence[Any]: ...
    @property
    def kwargs(self) -> Mapping[str, Any]: ...
    @property
    def options(self) -> Mapping[str, Any]: ...


class Workload(Protocol):
    """Which jobs arrive and when (see `scenario.model.WorkloadSpec`)."""

    @property
    def arrivals(self) -> ArrivalProcess: ...
    @property
    def duration(self) -> float: ...
    @property
    def job(self) -> Sequence[JobKind]: ...
    @property
    def locale(self) -> str: ...


def planned_jobs(workload: Workload, seed: int, service_url: str = "") -> Iterator[dict[str, Any]]:
    """The jobs of the plan in order of arrival, in the form that the producer reads. Memory stays flat.

    Arrivals, choice of job and arguments draw from three streams of the seed, so that a change of one leaves the others.
    """
    choice = Random(f"{seed}:mix")
    templates = [[job.args, job.kwargs, job.options] for job in workload.job]
    arguments = Arguments(templates, workload.locale, Random(f"{seed}:arguments"))
    weights = [job.weight for job in workload.job]
    for at_ns in arrivals_ns(workload.arrivals, workload.duration, Random(f"{seed}:arrivals")):
        (job,) = choice.choices(workload.job, weights)
        yield {"at_ns": at_ns, **_send(job, arguments, service_url)}


def _send(job: JobKind, arguments: Arguments, service_url: str) -> dict[str, Any]:
    if job.post is not None:
        body = arguments.fill(job.kwargs)
        return {"http": {"method": "POST", "url": service_url + job.post, "body": body, "job_id": job.job_id}}
    return {
        "task": job.task,
        "args": arguments.fill(job.args),
        "kwargs": arguments.fill(job.kwargs),
        "options": arguments.fill(job.options),
    }


def write_plan(jobs: Iterable[Mapping[str, Any]], path: Path, *, app: str, library: str) -> int:
    """Write a plan for the producer and return the number of jobs in it."""
    count = 0
    with path.open("w", encoding="utf-8") as out:
        out.write(json.dumps({"app": app, "library": library}) + "\n")
        for job in jobs:
            out.write(json.dumps(job, ensure_ascii=False) + "\n")
            count += 1
    return count
