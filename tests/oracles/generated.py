"""Histories that Hypothesis makes up: lives of jobs with crashes and unknown enqueues, on few moments (so that clocks tie), with records doubled
and missing."""

from __future__ import annotations

from hypothesis import strategies as st

from jobharness.history.event import Dead, Kind
from tests.histories import Line, history_of

__all__ = ["histories", "samples", "stops", "ticks", "traffic", "upstream_calls"]

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
def traffic(draw: st.DrawFn) -> list[Line]:
    """Jobs that are sent and mostly done, with keys and priorities, over four seconds and a strike in the fourth or later."""
    lines = []
    for number in range(draw(st.integers(2, 10))):
        job, at, worker = f"t{number}", number * 2 * TICK, draw(st.sampled_from(WORKERS))
        group, rank = draw(st.sampled_from(("k1", "k1", "k2"))), draw(st.integers(0, 2))
        began = at + draw(st.integers(1, 12)) * TICK
        lines += [
            Line(at, "producer", Kind.ENQUEUE_BEGIN, job, task="shop.charge", group=group, value=at),
            Line(at, "producer", Kind.ENQUEUE_PRIORITY, job, value=rank),
            Line(at + draw(st.integers(0, 1)) * TICK, "producer", Kind.ENQUEUE_ACKNOWLEDGED, job),
            Line(began, worker, Kind.JOB_RUNNING, job, task="shop.charge"),
            Line(began + draw(st.integers(0, 30)) * TICK, worker, Kind.JOB_FINISHED, job),
        ]
    strikes = draw(st.lists(st.integers(20, 60), max_size=3))
    return lines + [Line(strike * TICK, "harness", Kind.FAULT_BEGIN) for strike in strikes]


@st.composite
def upstream_calls(draw: st.DrawFn) -> list[Line]:
    """Requests, and now and then an answer that asks to wait."""
    calls = draw(st.lists(st.tuples(moments, st.sampled_from(JOBS), st.booleans(), short), min_size=1, max_size=10))
    lines = [Line(at, "upstream", Kind.UPSTREAM_REQUEST, job, task="GET /") for at, job, _, _ in calls]
    return lines + [
        Line(at, "upstream", Kind.UPSTREAM_RETRY_AFTER, job, task="GET /", value=v) for at, job, asked, v in calls if asked
    ]


@st.composite
def ticks(draw: st.DrawFn) -> list[Line]:
    """A schedule that comes due about once a second, its jobs run at once."""
    lines = []
    for number in range(draw(st.integers(1, 5))):
        at = number * 5 * TICK + draw(st.sampled_from((0, 0, 0, 1, 3))) * TICK
        again = draw(st.sampled_from(((), (), (0,), (2 * TICK,))))
        name = draw(st.sampled_from(("", f"tick {number}")))
        for count, moment in enumerate((at, *(at + later for later in again))):
            job = f"s{number}.{count}"
            lines.append(Line(moment, "scheduler", Kind.SCHEDULE_TICK, job, text="nightly", group=name, value=5 * TICK))
            lines.append(Line(moment, "worker-1/11", Kind.JOB_RUNNING, job))
    return lines


@st.composite
def chains(draw: st.DrawFn) -> list[Line]:
    """Chains of up to three steps of one or two jobs, of which most finish and most are enqueued."""
    lines = []
    for chain in ("p", "q"):
        for step in range(draw(st.integers(1, 3))):
            for number in range(draw(st.integers(1, 2))):
                job, at = f"{chain}{step}{number}", step * 10 * TICK
                lines.append(Line(0, "producer", Kind.ENQUEUE_LINKED, job, text=chain, value=step))
                kinds = [Kind.ENQUEUE_BEGIN, Kind.ENQUEUE_ACKNOWLEDGED, Kind.JOB_RUNNING, Kind.JOB_FINISHED]
                seen = draw(st.sampled_from((4, 4, 4, 3, 2, 1, 0)))
                lines += [Line(at + later * TICK, "worker-1/11", kind, job) for later, kind in enumerate(kinds[:seen])]
    return lines


@st.composite
def deliveries(draw: st.DrawFn) -> list[Line]:
    """Webhooks of which each led to up to three jobs; some took effect, some ended, some were given up."""
    lines = []
    for delivery in ("p", "q"):
        for number in range(draw(st.integers(0, 3))):
            job, at = f"{delivery}{number}", draw(st.integers(0, 5)) * TICK
            lines.append(Line(at, "producer", Kind.DELIVERY_TRIED, job, text=delivery, value=200))
            for _ in range(draw(st.sampled_from((0, 0, 1, 1, 2)))):
                lines.append(Line(at + draw(short), "upstream", Kind.EFFECT_APPLIED, job, task=draw(st.sampled_from("xy"))))
            for _ in range(draw(st.sampled_from((0, 1, 1, 2)))):
                lines.append(Line(at + draw(short), "worker-1/11", Kind.JOB_FINISHED, job))
        if draw(st.integers(0, 4)) == 0:
            lines.append(Line(9 * TICK, "producer", Kind.DELIVERY_GIVEN_UP, text=delivery, value=5))
    return lines


@st.composite
def stops(draw: st.DrawFn) -> list[Line]:
    """A worker that runs two jobs, is asked to stop, and exits."""
    asked = draw(st.integers(0, 10)) * TICK
    lines = [
        Line(asked, "worker-1/11", Kind.WORKER_STOPPING),
        Line(asked + draw(short), "harness", Kind.WORKER_EXITED, text="worker-1", value=draw(st.sampled_from((0, 0, -9)))),
    ]
    for job in ("x", "y"):
        began = draw(st.integers(0, 12)) * TICK
        lines.append(Line(began, "worker-1/12", Kind.JOB_RUNNING, job))
        kind = draw(st.sampled_from((Kind.JOB_FINISHED, Kind.JOB_FINISHED, Kind.JOB_REJECTED, Kind.JOB_DEAD, Kind.JOB_SETTLED)))
        lines.append(Line(began + draw(short), "worker-1/12", kind, job, value=1))
    return lines


@st.composite
def samples(draw: st.DrawFn) -> list[Line]:
    """A worker that ends a job a second while its memory, descriptors and processor time are sampled."""
    lines = []
    for number in range(6):
        lines.append(Line(number * 5 * TICK, "worker-1/11", Kind.JOB_RUNNING, f"r{number}"))
        lines.append(Line(number * 5 * TICK + TICK, "worker-1/11", Kind.JOB_FINISHED, f"r{number}"))
    for kind in (Kind.RESOURCE_MEMORY, Kind.RESOURCE_DESCRIPTORS, Kind.RESOURCE_CPU):
        step, start = draw(st.integers(-1, 30)) * 10_000, draw(st.integers(1, 100))
        for number in range(draw(st.integers(1, 8))):
            value = start + number * step + draw(st.integers(0, 1000))
            lines.append(Line(number * 4 * TICK, "harness", kind, text="worker-1", group="11", value=value))
    lines.append(Line(0, "harness", Kind.RESOURCE_MEMORY_LIMIT, text="worker-1", group="11", value=draw(st.integers(1, 10**6))))
    return lines


@st.composite
def histories(draw: st.DrawFn, *further: st.SearchStrategy[list[Line]]):
    """A History of up to five jobs, and what `further` adds."""
    lines: list[Line] = []
    for strategy in further:
        lines += draw(strategy)
    for job in draw(st.lists(st.sampled_from(JOBS), max_size=5)):
        parts = draw(st.lists(st.sampled_from((_enqueues, _executions, _executions, _extras)), max_size=4))
        for part in parts:
            lines += draw(part(job))
    for _ in range(draw(st.integers(0, 4))):
        lines += draw(_of_run())
    places = st.integers(0, 60)
    missing, doubled = draw(st.sets(places, max_size=3)), draw(st.sets(places, max_size=2))
    kept = [line for place, line in enumerate(lines) if place not in missing]
    kept += [line for place, line in enumerate(lines) if place in doubled]
    failed = draw(st.sampled_from(((), (), (), (), ("worker-1/11",))))
    return history_of(kept, torn=draw(st.sampled_from((0, 0, 0, 1, 2))), failed=failed)
