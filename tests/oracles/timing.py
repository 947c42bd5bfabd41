"""Oracles of when things happen."""

from __future__ import annotations

import itertools
from statistics import median

from jobharness.history.event import Kind
from tests.oracles.plain import Answer, Execution, Plain

S = 1_000_000_000


def backoff(run: Plain, first_ns: int, factor: float, cap_ns: float, jitter: float) -> Answer:
    offences, judged = [], 0
    executions = run.executions()
    for job in run.jobs():
        mine = [e for e in executions if e.begin.job == job]
        failures = 0
        for before, after in itertools.pairwise(mine):
            if before.end is None or before.end.kind not in (Kind.JOB_FAILED, Kind.JOB_TIMED_OUT):
                continue
            failures += 1
            if after.begin.time < before.end.time:
                continue
            judged += 1
            wait = round(min(first_ns * factor ** (failures - 1), cap_ns) * (1 - jitter))
            if after.begin.time - before.end.time < wait:
                offences.append((job, after.begin.row))
    demands = run.of(Kind.UPSTREAM_RETRY_AFTER)
    for request in run.of(Kind.UPSTREAM_REQUEST):
        told = [d for d in demands if d.job == request.job and d.time < request.time]
        if told:
            latest = max(d.time for d in told)
            last = [d for d in told if d.time == latest][-1]
            if request.time < last.time + last.value:
                offences.append((request.job, request.row))
    return Answer(offences, judged + len(demands))


def time_limit(run: Plain, limit_ns: int, grace_ns: int, tasks: tuple[str, ...]) -> Answer:
    offences, unseen, judged = [], 0, 0
    for execution in run.executions():
        assert execution.begin.job is not None
        if tasks and run.label(execution.begin.job, "task") not in tasks:
            continue
        judged += 1
        until = execution.end.time if execution.end else _gone(run, execution)
        if until - execution.begin.time > limit_ns + grace_ns:
            offences.append((execution.begin.job, execution.begin.row))
            unseen += execution.end is None
    return Answer(offences, judged, unseen)


def _gone(run: Plain, execution: Execution) -> int:
    """When a cut-off execution was over at the latest."""
    begin = execution.begin
    moments = [execution.alive if execution.alive > begin.time else run.events[-1].time]
    deaths = run.of(Kind.JOB_DEAD, begin.job)
    if deaths and deaths[-1].time >= begin.time:
        moments.append(deaths[-1].time)
    exits = [e.time for e in run.any_of(Kind.WORKER_EXITED) if e.text == begin.worker and e.time >= begin.time]
    return min(moments + exits[:1])


def not_before(run: Plain, tolerance_ns: int) -> Answer:
    offences: list[tuple[int | None, int | None]] = []
    judged = 0
    for job in run.jobs():
        own, begun = run.of(Kind.ENQUEUE_NOT_BEFORE, job), run.first(Kind.JOB_RUNNING, job)
        if own:
            judged += 1
            if begun is not None and begun < own[0].value - tolerance_ns:
                offences.append((job, None))
        marks = sorted(run.of(Kind.JOB_RETRIED, job) + run.of(Kind.JOB_RUNNING, job), key=lambda e: e.row)
        for asked, next_mark in itertools.pairwise(marks):
            if asked.kind == Kind.JOB_RETRIED and asked.value > 0 and next_mark.kind == Kind.JOB_RUNNING:
                judged += 1
                if asked.time + asked.value - next_mark.time > tolerance_ns:
                    offences.append((job, next_mark.row))
    return Answer(offences, judged)


def deadline(run: Plain, within_ns: int) -> Answer:
    return _each(run, within_ns, lambda job: run.completed(job))


def starvation(run: Plain, within_ns: int) -> Answer:
    return _each(run, within_ns, lambda job: run.first(Kind.JOB_RUNNING, job))


def _each(run: Plain, within_ns: int, reached) -> Answer:
    jobs = [job for job in run.jobs() if run.acknowledged(job) and run.intended(job) is not None]
    never = [job for job in jobs if reached(job) is None]
    late = [job for job in jobs if reached(job) is not None and reached(job) - run.due(job) > within_ns]
    return Answer([(job, None) for job in never + late], len(jobs), len(never))


def schedule_lateness(run: Plain, within_ns: int) -> Answer:
    jobs = [job for job in run.jobs() if run.acknowledged(job) and run.of(Kind.ENQUEUE_NOT_BEFORE, job)]
    offences, never = [], 0
    for job in jobs:
        begun = run.first(Kind.JOB_RUNNING, job)
        if begun is None or begun - run.of(Kind.ENQUEUE_NOT_BEFORE, job)[0].value > within_ns:
            offences.append((job, None))
            never += begun is None
    return Answer(offences, len(jobs), never)


def one_run_per_tick(run: Plain) -> Answer:
    stops = [event.time for event in run.any_of(Kind.RUN_PHASE) if event.text == "stop"]
    ticks = [tick for tick in run.of(Kind.SCHEDULE_TICK) if not stops or tick.time <= stops[0]]
    offences: list[tuple[int | None, int | None]] = []
    unseen = 0
    for entry in {tick.text for tick in ticks}:
        mine = [tick for tick in ticks if tick.text == entry]
        names = set()
        for tick in mine:
            if tick.group:
                if tick.group in names:
                    offences.append((tick.job, tick.row))
                names.add(tick.group)
        plain = [tick for tick in mine if not tick.group and tick.value > 0]
        for before, tick in itertools.pairwise(plain):
            gap = tick.time - before.time
            if gap * 2 < tick.value:
                offences.append((tick.job, tick.row))
            if gap * 2 > tick.value * 3:
                offences.append((tick.job, tick.row))
                unseen += 1
    for tick in ticks:
        if not run.of(Kind.JOB_RUNNING, tick.job):
            offences.append((tick.job, tick.row))
            unseen += 1
    return Answer(offences, len(ticks), unseen)


def drain_time(run: Plain, within_ns: int) -> Answer:
    sent = run.any_of(Kind.PRODUCER_DONE)
    if not sent:
        return Answer([], 0)
    jobs = [job for job in run.jobs() if run.acknowledged(job)]
    never = [job for job in jobs if run.completed(job) is None]
    late = [job for job in jobs if (run.completed(job) or 0) - sent[-1].time > within_ns]
    return Answer([(job, None) for job in never + late], len(jobs), len(never))


def throughput_recovery(run: Plain, within_ns: int, share: float) -> Answer:
    strikes = run.any_of(Kind.FAULT_BEGIN)
    jobs = [job for job in run.jobs() if run.acknowledged(job)]
    arrivals = [run.first(Kind.ENQUEUE_ACKNOWLEDGED, job) // S for job in jobs]
    ends = [done // S for job in jobs if (done := run.completed(job)) is not None]
    if not strikes or not arrivals:
        return Answer([], 0, vacuous=not strikes)
    before = range(min(arrivals) + 1, strikes[0].time // S)
    if len(before) < 3:
        return Answer([], 0)
    usual = median(ends.count(second) for second in before)
    offences, judged = [], 0
    for place, strike in enumerate(strikes):
        second = -(-(strike.time + within_ns) // S)
        if any(other.time <= (second + 1) * S for other in strikes[place + 1 : place + 2]):
            continue
        judged += 1
        waiting = sum(a <= second for a in arrivals) - sum(e <= second for e in ends)
        if ends.count(second) < share * usual and waiting > 0:
            offences.append((None, strike.row))
    return Answer(offences, judged)
