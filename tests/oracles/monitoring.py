"""Oracles of what monitoring tells: alarms, error reports, health."""

from __future__ import annotations

from jobharness.history.event import Kind
from tests.oracles.plain import Answer, Plain

OK = 200


def alarm_rings(run: Plain, alert: str, within_ns: int, fault: str) -> str:
    """The word alone: there is at most one offence."""
    strikes = [e.time for e in run.any_of(Kind.FAULT_BEGIN) if fault in ("", e.text)]
    if not strikes:
        return "unknown"
    rings = [e.time for e in run.any_of(Kind.ALERT_FIRING) if e.text == alert]
    if any(ring < strikes[0] for ring in rings):
        return "broken"
    if rings:
        return "holds" if rings[0] - strikes[0] <= within_ns else "broken"
    watched = [e.time for e in run.any_of(Kind.ALERT_WATCHED)]
    if run.failed or run.any_of(Kind.RUN_CUT_SHORT) or not watched or watched[-1] - strikes[0] < within_ns:
        return "unknown"
    return "broken"


def reported(run: Plain, once: bool) -> Answer:
    offences, silent, judged = [], 0, 0
    for job in run.jobs():
        deaths, reports = run.of(Kind.JOB_DEAD, job), run.of(Kind.FAILURE_REPORTED, job)
        dead = bool(deaths) and not run.of(Kind.JOB_FINISHED, job)
        judged += bool(dead or reports)
        if dead and not reports:
            silent += 1
            offences.append((job, None))
        if dead and once and len(reports) > 1:
            offences.append((job, None))
        if reports and not dead:
            offences.append((job, None))
        if dead and reports:
            task, told = run.label(job, "task"), reports[0].task
            if task and told and task.rpartition(".")[2] != told.rpartition(".")[2]:
                offences.append((job, None))
            if deaths[0].text and reports[0].text and deaths[0].text.split(":")[0] != reports[0].text.split(":")[0]:
                offences.append((job, None))
    return Answer(offences, judged, silent)


def health(run: Plain, within_ns: int, tick_ns: int) -> Answer:
    """Looks at each tick of the clock: events stand on whole ticks, so nothing changes between two."""
    asked = run.any_of(Kind.HEALTH_ANSWERED)
    starts = [e.time for e in run.any_of(Kind.RUN_PHASE) if e.text == "workload"]
    stops = [e.time for e in run.any_of(Kind.RUN_PHASE) if e.text == "stop"]
    end = stops[0] if stops else max((e.time for e in run.events), default=0)
    idle = {t: _idle_at(run, t) for t in range(starts[0], end, tick_ns)} if starts else {}
    offences = []
    since = None
    for event in asked:
        lying = event.value == OK and idle.get(event.time // tick_ns * tick_ns, False)
        if since is not None and (not lying or any(not idle.get(t, False) for t in range(since.time, event.time, tick_ns))):
            since = None
        if lying and since is None:
            since = event
        if lying and event.time - since.time > within_ns:
            offences = [one for one in offences if one != (None, since.row)] + [(None, since.row)]
    return Answer(offences, len(asked), undecided=not any(idle.values()), torn_excuses=False)


def _idle_at(run: Plain, at: int) -> bool:
    names = {e.worker for e in run.any_of(Kind.WORKER_READY)}
    ready = 0
    for name in names:
        marks = [
            e
            for e in run.events
            if (e.kind == Kind.WORKER_READY and e.worker == name) or (e.kind == Kind.WORKER_EXITED and e.text == name)
        ]
        marks = [e for e in marks if e.time <= at]
        ready += bool(marks) and marks[-1].kind == Kind.WORKER_READY
    waiting = 0
    for job in run.jobs():
        sent, taken = run.first(Kind.ENQUEUE_ACKNOWLEDGED, job), run.first(Kind.JOB_RUNNING, job)
        waiting += sent is not None and sent <= at
        waiting -= sent is not None and taken is not None and taken <= at
    busy = sum(1 for one in run.executions() if one.begin.time <= at < one.alive)
    return ready == 0 or (waiting > 0 and busy == 0)
