"""Oracles of workers: stops, exits, slots, resources, and what poison does to them."""

from __future__ import annotations

from jobharness.history.event import Kind
from tests.oracles.plain import Answer, Event, Execution, Plain


def unprovoked(run: Plain) -> list[Event]:
    """The exits that no strike on the exiting process, and not the end of the run, explains."""
    stop = min((e.time for e in run.any_of(Kind.RUN_PHASE) if e.text == "stop"), default=None)
    found = []
    for gone in run.any_of(Kind.WORKER_EXITED):
        started = [e for e in run.any_of(Kind.WORKER_STARTED) if e.text == gone.text and e.row < gone.row]
        struck = started and any(h.value == started[-1].value and h.row < gone.row for h in run.any_of(Kind.FAULT_HIT))
        if not struck and (stop is None or gone.time < stop):
            found.append(gone)
    return found


def workers_stay_up(run: Plain, allowed: int) -> Answer:
    exits = unprovoked(run)
    return Answer([(None, e.row) for e in exits] if len(exits) > allowed else [], len(run.any_of(Kind.WORKER_STARTED)))


def poison_contained(run: Plain, tasks: tuple[str, ...], within_ns: int, most_lost: int) -> Answer:
    poison = [job for job in run.jobs() if run.label(job, "task") in tasks]
    healthy = [job for job in run.jobs() if job not in poison and run.acknowledged(job) and run.intended(job) is not None]
    never = [job for job in healthy if run.first(Kind.JOB_RUNNING, job) is None]
    late = [job for job in healthy if job not in never and run.first(Kind.JOB_RUNNING, job) - run.due(job) > within_ns]
    lost = unprovoked(run)
    offences: list[tuple[int | None, int | None]] = [(job, None) for job in never + late]
    offences += [(None, e.row) for e in lost] if len(lost) > most_lost else []
    ran = any(run.of(Kind.JOB_RUNNING, job) for job in poison)
    return Answer(offences, len(healthy), len(never), undecided=not ran)


def slots_freed(run: Plain, within_ns: int) -> Answer:
    executions = run.executions()
    timed_out = [e for e in executions if e.end is not None and e.end.kind == Kind.JOB_TIMED_OUT]
    offences = []
    for worker in {e.begin.worker for e in timed_out}:
        mine = sorted((e for e in timed_out if e.begin.worker == worker), key=lambda e: (e.end.time, e.begin.row))
        last = mine[-1]
        assert last.end is not None
        again = any(e.begin.worker == worker and e.begin.time >= last.end.time for e in executions)
        work = any(e.begin.time > last.end.time + within_ns for e in executions)
        if work and not again:
            offences.append((last.begin.job, last.begin.row))
    return Answer(offences, len(timed_out), len(offences))


def graceful_stop(run: Plain, within_ns: int, settle_ns: int) -> Answer:
    offences: list[tuple[int | None, int | None]] = []
    unseen = judged = 0
    seen = set()
    for asked in run.any_of(Kind.WORKER_STOPPING):
        exits = [e for e in run.any_of(Kind.WORKER_EXITED) if e.text == asked.worker]
        before = [e for e in exits if e.row < asked.row]
        after = next((e for e in exits if e.row > asked.row), None)
        if (asked.worker, after) in seen:
            continue
        seen.add((asked.worker, after))
        judged += 1
        if after is None or after.time - asked.time > within_ns or after.value < 0:
            offences.append((None, asked.row))
            unseen += after is None
        for execution in run.executions():
            begin = execution.begin
            if begin.worker != asked.worker:
                continue
            if execution.end is None and _cut_by(run, execution, asked, before[-1] if before else None, after):
                offences.append((begin.job, begin.row))
                unseen += 1
            if begin.time > asked.time + settle_ns and (after is None or begin.time < after.time):
                offences.append((begin.job, begin.row))
    return Answer(offences, judged, unseen)


def _cut_by(run: Plain, execution: Execution, asked: Event, before: Event | None, after: Event | None) -> bool:
    begin = execution.begin
    if (before is not None and begin.time <= before.time) or (after is not None and begin.time > after.time):
        return False
    if begin.time < execution.alive < asked.time:
        return False
    deaths, returns = run.of(Kind.JOB_DEAD, begin.job), run.of(Kind.JOB_REJECTED, begin.job)
    if deaths and begin.time <= deaths[-1].time < asked.time:
        return False
    return not (returns and returns[-1].time >= asked.time)


def resources(run: Plain, bounds: dict[Kind, float], fewest: int) -> Answer:
    """`bounds`: of memory and descriptors per 1,000 jobs, processor time (s) per job, and the share of the memory limit."""
    offences: list[tuple[int | None, int | None]] = []
    judged = 0
    executions = run.executions()
    for kind, bound in bounds.items():
        sampled = Kind.RESOURCE_MEMORY if kind == Kind.RESOURCE_MEMORY_LIMIT else kind
        for process in sorted({e.group for e in run.any_of(sampled)}):
            samples = [e for e in run.any_of(sampled) if e.group == process]
            if kind == Kind.RESOURCE_MEMORY_LIMIT:
                limits = [e.value for e in run.any_of(kind) if e.group == process]
                figure = max(e.value for e in samples) / limits[-1] if limits else None
            else:
                figure = _figure(kind, samples, executions, fewest)
            if figure is not None:
                judged += 1
                if figure > bound:
                    offences.append((None, samples[-1].row))
    return Answer(offences, judged)


def _figure(kind: Kind, samples: list[Event], executions: list[Execution], fewest: int) -> float | None:
    worker = samples[0].text
    kept = samples[int(len(samples) * 0.2) :]
    ends = [e.end.time for e in executions if e.end is not None and e.begin.worker == worker]
    jobs = [sum(end <= s.time for end in ends) for s in kept]
    if len(kept) < 2 or jobs[-1] - jobs[0] < fewest:
        return None
    values = [s.value for s in kept]
    if kind == Kind.RESOURCE_CPU:
        return (values[-1] - values[0]) / 1e9 / (jobs[-1] - jobs[0])
    mean_jobs, mean_values = sum(jobs) / len(jobs), sum(values) / len(values)
    spread = sum((j - mean_jobs) ** 2 for j in jobs)
    return 1000 * sum((j - mean_jobs) * (v - mean_values) for j, v in zip(jobs, values, strict=True)) / spread
