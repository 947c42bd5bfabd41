"""The worlds of a merged history: what may have happened, as far as its nodes' clocks and silence leave it open.

Each is a History with the same jobs, processes and texts; a contract that says one thing in one and another in another has not
been decided.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from jobharness.history.columns import NEVER
from jobharness.history.event import Kind
from jobharness.history.frame import History
from jobharness.history.nodes import MOMENTS

__all__ = ["Silence", "World", "other_clocks", "silences", "without"]

Mask = npt.NDArray[np.bool_]
_SENT = (Kind.ENQUEUE_BEGIN, Kind.ENQUEUE_ACKNOWLEDGED, Kind.ENQUEUE_INTENDED, Kind.ENQUEUE_UNKNOWN, Kind.SCHEDULE_TICK)
_ANSWERED = (Kind.ENQUEUE_ACKNOWLEDGED, Kind.ENQUEUE_REFUSED, Kind.ENQUEUE_UNKNOWN)
_WORKED = (Kind.WORKER_READY, Kind.JOB_RECEIVED, Kind.JOB_RUNNING, Kind.JOB_FINISHED, Kind.JOB_FAILED, Kind.JOB_SETTLED)


@dataclass(frozen=True, eq=False)
class World:
    """One way in which it may have been. `rows`: (n_events,) the numbers that its events have in the history as told."""

    history: History
    rows: npt.NDArray[np.int64]


def other_clocks(history: History) -> Iterator[World]:
    """The worlds in which the nodes' clocks stood otherwise, and last those in which all that may be concurrent is, and only what
    must be: none, where every order is known. Cost: one sort for each."""
    if history.clocks.exact:
        return
    for shifts_ns in history.clocks.shifts_ns():
        yield _shifted(history, shifts_ns)
    for extreme in ("wide", "narrow"):
        yield World(replace(history, header={**history.header, extreme: True}), np.arange(len(history)))


def _shifted(history: History, shifts_ns: npt.NDArray[np.int64]) -> World:
    columns = history.columns
    shift = shifts_ns[history.clocks.node[columns["process"]]]
    times_ns, values = columns["time_ns"] + shift, columns["value"].copy()
    for kind in MOMENTS:
        rows = columns.rows(kind)
        values[rows] += np.where(values[rows] == 0, 0, shift[rows])
    order = np.argsort(times_ns, kind="stable")
    events = history.events.with_columns(time_ns=times_ns, value=values)[order]
    return World(History(events, history.jobs, history.processes, history.texts, history.header), order)


@dataclass(frozen=True, eq=False)
class Silence:
    """Jobs of which nobody told all: (n_jobs,), and why, for people."""

    jobs: Mask
    why: str


def silences(history: History) -> list[Silence]:
    """The jobs that only a vanished node can tell about; where completions were observed from outside, also those of tasks of
    which no completion was ever seen."""
    gone = ", ".join(node.name for node in history.nodes if node.vanished)
    found = [Silence(_left_open(history), f"only {gone} could tell, which vanished")] if gone else []
    if history.unseen:
        why = "of its task no completion was ever seen from outside (does it ignore its results?)"
        found.append(Silence(_of_silent_tasks(history), why))
    return [one for one in found if one.jobs.any()]


def without(history: History, doubtful: Mask) -> World:
    """The world without these jobs."""
    job = history.columns["job"]
    about_none = history.events["job"].is_null().to_numpy()
    kept = np.flatnonzero(about_none | ~doubtful[np.where(about_none, 0, job)])
    events = history.events[kept]
    return World(History(events, history.jobs, history.processes, history.texts, history.header), kept)


def _left_open(history: History) -> Mask:
    """(n_jobs,) the jobs that only a vanished node can tell about.

    A vanished node that enqueued: the jobs whose enqueue it began and told no outcome of, and those that nobody is known to have
    enqueued. One with workers: the jobs without completion that a worker of its own had, or that no worker was seen to take. Of
    one of which nothing counts, both.
    """
    tally, jobs = history.tally, history.jobs.height
    open_jobs = np.zeros(jobs, np.bool_)
    for number, node in enumerate(history.nodes):
        if not node.vanished:
            continue
        sent, answered, worked = (_told_by(history, number, *kinds) for kinds in (_SENT, _ANSWERED, _WORKED))
        if node.problem or _any_told(history, number, *_SENT):
            open_jobs |= (sent & ~answered) | ~tally.has(*_SENT)
        if node.problem or _any_told(history, number, *_WORKED):
            unseen = ~tally.has(Kind.JOB_RECEIVED, Kind.JOB_RUNNING)
            open_jobs |= (worked | unseen) & (tally.completed_ns == NEVER)
    return open_jobs


def _of_silent_tasks(history: History) -> Mask:
    """(n_jobs,) the jobs of tasks of which no job was completed."""
    task = history.tally.label("task")
    heard = np.unique(task[history.tally.completed_ns != NEVER])
    return ~np.isin(task, heard)


def _told_by(history: History, number: int, *kinds: Kind) -> Mask:
    """(n_jobs,) the jobs of which this node told an event of these kinds."""
    columns, told = history.columns, np.zeros(history.jobs.height, np.bool_)
    for kind in kinds:
        rows = columns.rows_of_jobs(kind)
        told[columns.jobs(kind)[history.clocks.node[columns["process"][rows]] == number]] = True
    return told


def _any_told(history: History, number: int, *kinds: Kind) -> bool:
    columns = history.columns
    return any((history.clocks.node[columns["process"][columns.rows(kind)]] == number).any() for kind in kinds)
