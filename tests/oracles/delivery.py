"""Oracles of how often jobs are delivered, completed and take effect."""

from __future__ import annotations

from collections import Counter

from jobharness.history.event import Dead, Kind
from tests.oracles.plain import Answer, Plain


def at_least_once(run: Plain) -> Answer:
    stops = [event.time for event in run.any_of(Kind.RUN_PHASE) if event.text == "stop"]
    acknowledged = [job for job in run.jobs() if run.acknowledged(job) and not _step(run, job)]
    if stops:
        acknowledged = [job for job in acknowledged if run.of(Kind.ENQUEUE_ACKNOWLEDGED, job)[0].time <= stops[0]]
    missing = [job for job in acknowledged if run.completed(job) is None]
    return Answer([(job, None) for job in missing], len(acknowledged), len(missing))


def _step(run: Plain, job: int) -> int:
    """The job's step in its chain; 0 for the first, and for a job of no chain."""
    return max(0, next((event.value for event in run.of(Kind.ENQUEUE_LINKED, job)), 0))


def no_link_lost(run: Plain) -> Answer:
    due = []
    links = run.of(Kind.ENQUEUE_LINKED)
    for link in links:
        before = [other.job for other in links if other.text == link.text and other.value == link.value - 1]
        if before and all(run.of(Kind.JOB_FINISHED, job) for job in before):
            due.append(link.job)
    due = list(dict.fromkeys(due))  # A link that was recorded twice is one.
    missing = [job for job in due if run.completed(job) is None]
    return Answer([(job, None) for job in missing], len(due), len(missing))


def once_per_delivery(run: Plain) -> Answer:
    offences, judged, idle = [], 0, 0
    tries = run.of(Kind.DELIVERY_TRIED)
    for delivery in dict.fromkeys(one.text for one in tries):
        tries_of = [one for one in tries if one.text == delivery]
        jobs = {one.job for one in tries_of}
        done = [one for job in jobs for one in run.of(Kind.EFFECT_APPLIED, job)]
        what = [(one.task, one.text) for one in done]
        if not done:
            done = [run.of(Kind.JOB_FINISHED, job)[0] for job in jobs if run.of(Kind.JOB_FINISHED, job)]
            what = [("", "")] * len(done)
        judged += 1
        if not done:
            idle += 1
            offences.append((min(tries_of, key=lambda one: one.row).job, None))
        by: dict[tuple[str, str], set[int | None]] = {}
        for one, thing in sorted(zip(done, what, strict=True), key=lambda pair: (pair[0].time, pair[0].row)):
            others = by.setdefault(thing, set())
            if others and one.job not in others:
                offences.append((one.job, one.row))
            others.add(one.job)
    given_up = run.any_of(Kind.DELIVERY_GIVEN_UP)
    return Answer(offences + [(None, one.row) for one in given_up], judged + len(given_up), idle)


def at_most_once(run: Plain) -> Answer:
    ran = [job for job in run.jobs() if run.of(Kind.JOB_RUNNING, job)]
    offences = []
    for job in ran:
        allowed, first_over = 1, None
        marks = run.of(Kind.JOB_RUNNING, job) + run.of(Kind.JOB_RETRIED, job)
        used = 0
        for mark in sorted(marks, key=lambda e: (e.time, e.kind == Kind.JOB_RUNNING, e.row)):
            if mark.kind == Kind.JOB_RETRIED:
                allowed += 1
            else:
                used += 1
                if used > allowed and first_over is None:
                    first_over = mark.row
        if first_over is not None:
            offences.append((job, first_over))
    pending = any(run.of(Kind.JOB_HELD, job) for job in ran)
    return Answer(offences, len(ran), undecided=pending)


def exactly_once_effect(run: Plain, tasks: tuple[str, ...]) -> Answer:
    seen: Counter[tuple[int | None, str, str]] = Counter()
    again = []
    effects = run.of(Kind.EFFECT_APPLIED)
    for effect in effects:
        identity = (effect.job, effect.task, effect.text)
        seen[identity] += 1
        if seen[identity] > 1:
            again.append((effect.job, effect.row))
    expected = [
        job
        for job in run.jobs()
        if run.label(job, "task") in tasks
        and run.label(job, "task")
        and run.acknowledged(job)
        and not (run.of(Kind.JOB_DEAD, job) and not run.of(Kind.JOB_FINISHED, job))
    ]
    missing = [(job, None) for job in expected if not run.of(Kind.EFFECT_APPLIED, job)]
    return Answer(again + missing, len(effects) + len(expected), len(missing))


def no_phantoms(run: Plain) -> Answer:
    enqueues = (
        Kind.ENQUEUE_BEGIN, Kind.ENQUEUE_ACKNOWLEDGED, Kind.ENQUEUE_INTENDED, Kind.ENQUEUE_UNKNOWN, Kind.SCHEDULE_TICK,
    )  # fmt: skip
    seen = [job for job in run.jobs() if run.of(Kind.JOB_RECEIVED, job) or run.of(Kind.JOB_RUNNING, job)]
    phantoms = [job for job in seen if not any(run.of(kind, job) for kind in enqueues)]
    return Answer([(job, None) for job in phantoms], len(seen), len(phantoms), cut_excuses=False)


def attempts_bounded(run: Plain, most: int) -> Answer:
    times = {job: len(run.of(Kind.JOB_RUNNING, job)) for job in run.jobs()}
    return Answer([(job, None) for job, n in times.items() if n > most], sum(n > 0 for n in times.values()))


def lease(run: Plain) -> Answer:
    executions = run.executions()
    overlaps = [
        (new.begin.job, new.begin.row)
        for new in executions
        if any(
            old.begin.job == new.begin.job and old.begin.row < new.begin.row and old.alive > new.begin.time for old in executions
        )
    ]
    stale = []
    for settled in run.of(Kind.JOB_SETTLED):
        takers = run.of(Kind.JOB_RECEIVED, settled.job) + run.of(Kind.JOB_RUNNING, settled.job)
        before = sorted((e for e in takers if e.row < settled.row), key=lambda e: e.row)
        several = any(len(run.of(kind, settled.job)) > 1 for kind in (Kind.JOB_RECEIVED, Kind.JOB_RUNNING))
        several = several or len({e.worker for e in takers}) > 1
        if several and before and before[-1].worker != settled.worker:
            stale.append((settled.job, settled.row))
    return Answer(overlaps + stale, len(executions))


def _was_there(run: Plain, job: int) -> bool:
    """Not only an enqueue without a known outcome."""
    seen = (Kind.ENQUEUE_ACKNOWLEDGED, Kind.SCHEDULE_TICK, Kind.JOB_RECEIVED, Kind.JOB_RUNNING)
    return not run.of(Kind.ENQUEUE_BEGIN, job) or any(run.of(kind, job) for kind in seen)


def recovery(run: Plain, within_ns: int) -> Answer:
    hits = [hit for hit in run.of(Kind.FAULT_HIT) if hit.job is not None and _was_there(run, hit.job)]
    offences, never = [], 0
    for hit in hits:
        assert hit.job is not None
        done = run.completed(hit.job)
        if done is None or done - hit.time > within_ns:
            offences.append((hit.job, hit.row))
            never += done is None
    return Answer(offences, len(hits), never, vacuous=not hits)


def dead_letters(run: Plain, reported: bool) -> Answer:
    offences: list[tuple[int | None, int | None]] = []
    unseen = judged = 0
    for job in run.jobs():
        given_up = any(e.value in (Dead.RAISED, Dead.TIMED_OUT, Dead.WORKER_LOST) for e in run.of(Kind.JOB_DEAD, job))
        exhausted = given_up and not run.of(Kind.JOB_FINISHED, job)
        buried, reports = len(run.of(Kind.JOB_BURIED, job)), len(run.of(Kind.FAILURE_REPORTED, job))
        judged += bool(exhausted or buried)
        if exhausted and not buried:
            offences.append((job, None))
            unseen += 1
        if buried > 1:
            offences.append((job, None))
        if buried and not exhausted:
            offences.append((job, None))
        if reported and exhausted and reports != 1:
            offences.append((job, None))
            unseen += reports == 0
    return Answer(offences, judged, unseen)


def failures_visible(run: Plain) -> Answer:
    dead = [job for job in run.jobs() if run.of(Kind.JOB_DEAD, job) and not run.of(Kind.JOB_FINISHED, job)]
    traces = (Kind.FAILURE_LOGGED, Kind.FAILURE_COUNTED, Kind.FAILURE_REPORTED)
    silent = [job for job in dead if not any(run.of(kind, job) for kind in traces)]
    return Answer([(job, None) for job in silent], len(dead), len(silent))
