"""Histories that Hypothesis makes up: lives of jobs with crashes and unknown enqueues, on few moments (so that clocks tie), with records doubled
and missing."""

from __future__ import annotations

from hypothesis import strategies as st

from jobharness.history.event import Dead, Kind
from tests.histories import Line, history_of

__all__ = ["histories"]

TICK = 200_000_000  # ns; twenty of them make four seconds.
JOBS = ("a", "b", "c", "d", "e")
WORKERS = ("worker-1/11", "worker-1/12", "worker-2/21", "worker-2/22")
PIDS = (11, 12, 21, 22)
TASKS = ("", "shop.charge", "shop.poison")
GROUPS = ("", "k1", "k2")

moments = st.integers(0, 40).map(lambda tick: tick * TICK)
short = st.integers(0, 8).map(lambda tick: tick * TICK)
tasks = st.sampled_from(TASKS)
groups = st.sampled_from(GROUPS)


@st.composite
def _enqueues(draw: st.DrawFn, job: str) -> list[Line]:
    at = draw(moments)
    outcome = draw(st.sampled_from([Kind.ENQUEUE_ACKNOWLEDGED] * 5 + [Kind.ENQUEUE_UNKNOWN, Kind.ENQUEUE_REFUSED]))
    intended = max(0, at - draw(short))
    begin = Line(at, "producer", Kind.ENQUEUE_BEGIN, job, task=draw(tasks), group=draw(groups), value=intended)
    lines = [begin, Line(at + draw(short), "producer", outcome, job)]
    if draw(st.booleans()):
        lines.append(Line(at, "producer", Kind.ENQUEUE_PRIORITY, job, value=draw(st.integers(0, 2))))
    if draw(st.booleans()):
        lines.append(Line(at, "producer", Kind.ENQUEUE_NOT_BEFORE, job, value=at + draw(short)))
    return lines


ENDINGS = (
    (Kind.JOB_FINISHED,),
    (Kind.JOB_FINISHED,),
    (Kind.JOB_FAILED,),
    (Kind.JOB_FAILED, Kind.JOB_RETRIED),
    (Kind.JOB_FAILED, Kind.JOB_DEAD),
    (Kind.JOB_TIMED_OUT, Kind.JOB_DEAD),
    (),  # Cut off.
    (Kind.FAULT_HIT,),
    (Kind.JOB_DEAD,),
    (Kind.JOB_REJECTED,),
)


@st.composite
def _executions(draw: st.DrawFn, job: str) -> list[Line]:
    worker, at, task = draw(st.sampled_from(WORKERS)), draw(moments), draw(tasks)
    lines = [Line(at, worker, Kind.JOB_RUNNING, job, task=task)]
    if draw(st.booleans()):
        lines.insert(0, Line(at, worker, Kind.JOB_RECEIVED, job, task=task))
    end = at + draw(short)
    for kind in draw(st.sampled_from(ENDINGS)):
        speaker = draw(st.sampled_from([worker] * 4 + list(WORKERS)))
        value = draw(_value(kind))
        lines.append(Line(end, "harness" if kind == Kind.FAULT_HIT else speaker, kind, job, value=value))
    if draw(st.booleans()):
        lines.append(Line(end, draw(st.sampled_from([worker, worker, *WORKERS])), Kind.JOB_SETTLED, job))
    return lines


def _value(kind: Kind) -> st.SearchStrategy[int]:
    if kind == Kind.JOB_DEAD:
        return st.sampled_from([int(reason) for reason in Dead])
    if kind == Kind.FAULT_HIT:
        return st.sampled_from(PIDS)
    return short if kind == Kind.JOB_RETRIED else st.just(0)


OTHERS = (
    Kind.EFFECT_APPLIED, Kind.UPSTREAM_REQUEST, Kind.UPSTREAM_RETRY_AFTER, Kind.JOB_HELD, Kind.JOB_BURIED, Kind.FAILURE_LOGGED,
    Kind.FAILURE_REPORTED, Kind.SCHEDULE_TICK, Kind.ENQUEUE_INTENDED, Kind.JOB_FINISHED, Kind.FAULT_HIT,
)  # fmt: skip


@st.composite
def _extras(draw: st.DrawFn, job: str) -> list[Line]:
    kind = draw(st.sampled_from(OTHERS))
    value = draw(st.sampled_from(PIDS)) if kind == Kind.FAULT_HIT else draw(short)
    where = draw(st.sampled_from(("upstream", "harness", *WORKERS)))
    text, group = draw(groups), draw(groups)
    return [Line(draw(moments), where, kind, job, task=draw(tasks), text=text, group=group, value=value)]


@st.composite
def _of_run(draw: st.DrawFn) -> list[Line]:
    at, pid, name = draw(moments), draw(st.sampled_from(PIDS)), draw(st.sampled_from(("worker-1", "worker-2")))
    kind = draw(
        st.sampled_from(
            (
                Kind.FAULT_BEGIN, Kind.FAULT_HIT, Kind.WORKER_STARTED, Kind.WORKER_EXITED, Kind.WORKER_STOPPING, Kind.PRODUCER_DONE,
                Kind.RUN_PHASE, Kind.RUN_CUT_SHORT, Kind.RESOURCE_MEMORY, Kind.RESOURCE_DESCRIPTORS, Kind.RESOURCE_CPU,
                Kind.RESOURCE_MEMORY_LIMIT,
            )
        )
    )  # fmt: skip
    if kind == Kind.WORKER_STOPPING:
        return [Line(at, draw(st.sampled_from(WORKERS)), kind)]
    if kind == Kind.RUN_PHASE:
        return [Line(at, "harness", kind, text=draw(st.sampled_from(("workload", "stop"))))]
    if kind == Kind.WORKER_EXITED:
        return [Line(at, "harness", kind, text=name, value=draw(st.sampled_from((0, 1, -9))))]
    if kind in (Kind.RESOURCE_MEMORY, Kind.RESOURCE_DESCRIPTORS, Kind.RESOURCE_CPU):
        steps = draw(st.lists(st.integers(0, 1000), min_size=2, max_size=6))
        return [Line(at + n * TICK, "harness", kind, text=name, group=str(pid), value=v * 1_000_000) for n, v in enumerate(steps)]
    return [Line(at, "harness", kind, text=name, group=str(pid), value=pid)]


@st.composite
def histories(draw: st.DrawFn):  # type: ignore[no-untyped-def]
    """A History of up to five jobs."""
    lines: list[Line] = []
    for job in draw(st.lists(st.sampled_from(JOBS), max_size=5)):
        parts = draw(st.lists(st.sampled_from((_enqueues, _executions, _executions, _extras)), max_size=4))
        for part in parts:
            lines += draw(part(job))
    for _ in range(draw(st.integers(0, 4))):
        lines += draw(_of_run())
    missing = draw(st.sets(st.integers(0, 40), max_size=3))
    doubled = draw(st.sets(st.integers(0, 40), max_size=2))
    kept = [line for place, line in enumerate(lines) if place not in missing]
    kept += [line for place, line in enumerate(lines) if place in doubled]
    failed = draw(st.sampled_from(((), (), (), ("worker-1/11",))))
    return history_of(kept, torn=draw(st.sampled_from((0, 0, 1, 2))), failed=failed)
