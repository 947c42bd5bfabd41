"""The same figures by phase (before, during and after each fault) and by task.

A job belongs to the phase in which its intended arrival lies: during a fault from a strike of that fault to its end,
after it from there to the next strike of any fault or to the end, before from the beginning to the first strike of
all. Phases of two faults may overlap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from jobharness.history.columns import NEVER, Int64s, Rows
from jobharness.history.event import Kind
from jobharness.history.frame import History
from jobharness.history.slices import slices, taken
from jobharness.metrics.latency import DURATIONS, durations_ns, run_times_ns
from jobharness.metrics.measure import THREADS
from jobharness.metrics.metric import Metric
from jobharness.metrics.percentile import percentiles

__all__ = ["Breakdown", "Groups", "break_down"]

Mask = npt.NDArray[np.bool_]
Figures = Callable[[History, list[Rows]], list[list[Metric]]]
Groups = dict[str, dict[str, Metric]]
"""Name of a group of jobs -> its metrics by name."""


@dataclass(frozen=True)
class Breakdown:
    """`tasks`: by task name; jobs whose task is not known are under "-". `phases`: by phase; without faults there is none."""

    tasks: Groups
    phases: Groups


def break_down(history: History) -> Breakdown:
    """The figures of all groups. Cost: linear, each duration made once for all of them."""
    # Gathering and partitioning leave Python's lock alone.
    with ThreadPoolExecutor(THREADS) as pool:
        tasks, phases = pool.map(lambda kind: kind(history), (_tasks, _phases_of_jobs))
        groups = [*tasks.values(), *phases.values()]
        kinds: list[Figures] = [_counts, *(partial(_durations, name) for name in DURATIONS), _run_times]
        # The last takes longest, and is begun first.
        under_way = [pool.submit(kind, history, groups) for kind in reversed(kinds)]
        of_each = zip(*(figures.result() for figures in reversed(under_way)), strict=True)
    found = [{one.name: one for figures in of_group for one in figures} for of_group in of_each]
    return Breakdown(dict(zip(tasks, found[: len(tasks)], strict=True)), dict(zip(phases, found[len(tasks) :], strict=True)))


def _tasks(history: History) -> dict[str, Rows]:
    """The jobs of each task."""
    tasks = history.tally.label("task")
    order = np.argsort(tasks.astype(np.uint16) if history.texts.len() <= 2**16 else tasks, kind="stable").astype(np.uint32)
    ends = np.cumsum(np.bincount(tasks, minlength=1))
    groups = zip(np.split(order, ends[:-1]), range(len(ends)), strict=True)
    return {history.text(number) or "-": jobs for jobs, number in groups if len(jobs)}


def _phases_of_jobs(history: History) -> dict[str, Rows]:
    """The jobs of each phase."""
    phases = dict(_phases(history))
    bounds = np.unique([bound for spans in phases.values() for span in spans for bound in span])
    # Which of the stretches between two bounds a job arrived in: the phases are made of these.
    stretch = np.searchsorted(bounds, history.tally.intended_ns, side="right").astype(np.uint32)
    return {name: np.flatnonzero(taken(_within(bounds, spans), stretch)).astype(np.uint32) for name, spans in phases.items()}


def _within(bounds: Int64s, spans: list[tuple[int, int]]) -> Mask:
    """Which stretches, the one before the first bound and those that begin with each of them, lie in one of the spans (ascending,
    disjoint, without their ends)."""
    edges = np.array([bound for span in spans for bound in span], np.int64)
    return np.append(False, np.searchsorted(edges, bounds, side="right") % 2 == 1)


def _phases(history: History) -> Iterator[tuple[str, list[tuple[int, int]]]]:
    columns = history.columns
    times, texts = columns["time_ns"], columns["text"]
    strikes, ends = columns.rows(Kind.FAULT_BEGIN), columns.rows(Kind.FAULT_END)
    if not len(strikes):
        return
    yield "before", [(int(times[0]) - NEVER // 2, int(times[strikes[0]]))]
    for label in dict.fromkeys(texts[strikes].tolist()):
        began = times[strikes[texts[strikes] == label]].tolist()
        ended = times[ends[texts[ends] == label]]
        during, after = [], []
        for place, begin in enumerate(began):
            following = int(np.searchsorted(ended, begin))
            limit = began[place + 1] if place + 1 < len(began) else NEVER
            end = min(int(ended[following]) if following < len(ended) else NEVER, limit)
            during.append((begin, end))
            later = times[strikes[times[strikes] >= end]]
            after.append((end, int(later[0]) if len(later) else NEVER))
        yield f"during {history.text(label)}", during
        yield f"after {history.text(label)}", [span for span in after if span[0] < span[1]]


def _durations(name: str, history: History, groups: list[Rows]) -> list[list[Metric]]:
    took_ns = durations_ns(history, name)
    of_group = np.empty_like(took_ns)
    return [list(percentiles(name, taken(took_ns, jobs, of_group))) for jobs in groups]


def _run_times(history: History, groups: list[Rows]) -> list[list[Metric]]:
    took_ns, job = run_times_ns(history), history.executions.job
    found = []
    for jobs in groups:
        mine = np.zeros(history.jobs.height, np.bool_)
        for some in slices(len(jobs)):
            mine[jobs[some]] = True
        found.append(list(percentiles("run_time", took_ns[taken(mine, job)])))
    return found


def _counts(history: History, groups: list[Rows]) -> list[list[Metric]]:
    completed = history.tally.completed_ns != NEVER
    return [list(_counted(history, completed, jobs)) for jobs in groups]


def _counted(history: History, completed: Mask, jobs: Rows) -> Iterator[Metric]:
    tally = history.tally
    acknowledged = taken(tally.has(Kind.ENQUEUE_ACKNOWLEDGED), jobs)
    running, finished, failures, retries = (
        taken(tally.count(kind), jobs) for kind in (Kind.JOB_RUNNING, Kind.JOB_FINISHED, Kind.JOB_FAILED, Kind.JOB_RETRIED)
    )
    count, ran, executions = int(acknowledged.sum()), int((running > 0).sum()), int(running.sum(dtype=np.int64))
    failed = int(failures.sum(dtype=np.int64))
    duplicated = (running > 1 + retries) | (finished > 1)
    yield Metric("jobs.acknowledged", count, "jobs", count, "neither")
    yield Metric("jobs.completed", int((finished > 0).sum()), "jobs", count, "higher")
    yield Metric("jobs.lost_or_stuck", int((acknowledged & ~taken(completed, jobs)).sum()), "jobs", count)
    yield Metric("jobs.duplicated", int(duplicated.sum()), "jobs", ran)
    yield Metric("attempts.mean", executions / ran if ran else None, "1", ran)
    yield Metric("error_rate", failed / executions if executions else None, "1", executions)
