"""Oracles of rates, concurrency, order and priority: every pair is looked at."""

from __future__ import annotations

from jobharness.history.event import Kind
from tests.oracles.plain import Answer, Plain


def _key(run: Plain, per: str, job: int | None) -> str | None:
    """What the job is limited by; None where it is not limited."""
    assert job is not None
    if per == "run":
        return ""
    return run.label(job, "task") if per == "task" else run.label(job, "group") or None


def rate_limit(run: Plain, kind: Kind, limit: int, window_ns: int, per: str) -> Answer:
    starts = [(e, key) for e in run.of(kind) if (key := _key(run, per, e.job)) is not None]
    offences = []
    for place, (start, key) in enumerate(starts):
        window = [e for e, other in starts[: place + 1] if other == key and start.time - e.time < window_ns]
        if len(window) > limit:
            offences.append((start.job, start.row))
    return Answer(offences, len(starts))


def concurrency_limit(run: Plain, limit: int, per: str) -> Answer:
    executions = [(e, key) for e in run.executions() if (key := _key(run, per, e.begin.job)) is not None]
    offences = []
    for place, (new, key) in enumerate(executions):
        others = [old for old, other in executions[:place] if other == key and old.alive > new.begin.time]
        if len(others) + 1 > limit:
            offences.append((new.begin.job, new.begin.row))
    return Answer(offences, len(executions))


def fifo_per_key(run: Plain) -> Answer:
    jobs = [
        job
        for job in run.jobs()
        if run.label(job, "group")
        and run.of(Kind.JOB_RUNNING, job)
        and run.of(Kind.ENQUEUE_BEGIN, job)
        and not run.of(Kind.ENQUEUE_NOT_BEFORE, job)
    ]

    def overtaken(late: int, early: int) -> bool:
        acknowledged = run.first(Kind.ENQUEUE_ACKNOWLEDGED, early)
        return (
            acknowledged is not None
            and run.label(late, "group") == run.label(early, "group")
            and acknowledged < run.first(Kind.ENQUEUE_BEGIN, late)
            and run.first(Kind.JOB_RUNNING, early) > run.first(Kind.JOB_RUNNING, late)
        )

    offences = [(job, None) for job in jobs if any(overtaken(job, other) for other in jobs)]
    return Answer(offences, len(jobs))


def priority(run: Plain, allowed: float) -> Answer:
    jobs = [job for job in run.jobs() if run.of(Kind.ENQUEUE_PRIORITY, job) and run.of(Kind.JOB_RUNNING, job)]

    def jumped(job: int, urgent: int) -> bool:
        running = run.first(Kind.JOB_RUNNING, job)
        received = run.first(Kind.JOB_RECEIVED, job)
        taken = running if received is None else min(received, running)
        acknowledged = run.first(Kind.ENQUEUE_ACKNOWLEDGED, urgent)
        delayed = run.of(Kind.ENQUEUE_NOT_BEFORE, urgent)
        return (
            run.of(Kind.ENQUEUE_PRIORITY, urgent)[0].value < run.of(Kind.ENQUEUE_PRIORITY, job)[0].value
            and acknowledged is not None
            and max([acknowledged, *(e.value for e in delayed[:1])]) < taken
            and run.first(Kind.JOB_RUNNING, urgent) > running
        )

    offences = [(job, None) for job in jobs if any(jumped(job, other) for other in jobs)]
    return Answer(offences if len(offences) > allowed * len(jobs) else [], len(jobs))
