"""Health tells the truth: the app's health URL does not go on answering 200 while no worker takes jobs.

No worker takes jobs where none is ready, or where jobs wait, none is under way, and none is taken. A lie lasts from the
first 200 within such a stretch to the last one before another answer, or before the stretch is over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl

from jobharness.clock import NS_PER_S
from jobharness.contracts.promise import Evidence, Promise, offences
from jobharness.history.columns import Int64s, Rows
from jobharness.history.event import Kind
from jobharness.history.frame import History

__all__ = ["HealthHonest"]

OK = 200


@dataclass(frozen=True)
class HealthHonest(Promise):
    """No lie lasts longer than `within_s`. Needs: the URL asked throughout the run; a stretch in which no worker took jobs."""

    within_s: float
    name = "health_honest"
    needs = frozenset((Kind.HEALTH_ANSWERED, Kind.WORKER_READY, Kind.JOB_RUNNING))
    nothing = "the health URL was never asked"

    @property
    def promise(self) -> str:
        """The promise, with its bound."""
        return f"health answers 200 for at most {self.within_s:g} s while no worker takes jobs"

    def evidence(self, history: History) -> Evidence:
        """Nothing: it is about no single job."""
        return Evidence(0)

    def of_run(self, history: History) -> Evidence:
        """The lies that were too long, the longest first."""
        rows = history.columns.rows(Kind.HEALTH_ANSWERED)
        asked_ns, status = history.columns["time_ns"][rows], history.columns["value"][rows]
        idle = list(_idle(history))
        lies = [lie for begin_ns, end_ns in idle for lie in _lies(rows, asked_ns, status, begin_ns, end_ns)]
        long = [(row, lasted_ns) for row, lasted_ns in lies if lasted_ns > round(self.within_s * NS_PER_S)]
        found = offences(
            pl.format("said 200 for {} ms while no worker took jobs", "lasted"),
            job=None,
            row=[row for row, _ in long],
            weight=[lasted_ns for _, lasted_ns in long],
            lasted=[lasted_ns // 1_000_000 for _, lasted_ns in long],
        )
        away_ns = sum(end_ns - begin_ns for begin_ns, end_ns in idle)
        longest_ns = max((lasted_ns for _, lasted_ns in lies), default=0)
        counts = {"asked": len(rows), "lies": len(long), "stretches": len(idle), "away_ms": away_ns // 1_000_000}
        return Evidence(len(rows), found, counts=counts, most={"longest_ms": longest_ns // 1_000_000})

    def undecided(self, figures: Mapping[str, int]) -> str:
        """Whoever never had to lie was not tested."""
        return "" if figures["stretches"] else "some worker took jobs all the time, so health had nothing to hide"

    def broken(self, figures: Mapping[str, int]) -> str:
        """The longest lie."""
        return f"health said 200 for {figures['longest_ms']} ms while no worker took jobs"

    def kept(self, figures: Mapping[str, int]) -> str:
        """How long there was something to hide."""
        return f"no worker took jobs for {figures['away_ms']} ms, and health said 200 for {figures['longest_ms']} ms at most"


def _lies(rows: Rows, asked_ns: Int64s, status: Int64s, begin_ns: int, end_ns: int) -> Iterator[tuple[int, int]]:
    """`(row of the first, ns)` of each run of 200s within a stretch."""
    within = np.flatnonzero((asked_ns >= begin_ns) & (asked_ns < end_ns))
    ok = status[within] == OK
    runs = np.split(np.arange(len(within)), np.flatnonzero(np.diff(ok)) + 1)
    for run in runs:
        if len(run) and ok[run[0]]:
            first, last = within[run[0]], within[run[-1]]
            yield int(rows[first]), int(asked_ns[last] - asked_ns[first])


def _idle(history: History) -> Iterator[tuple[int, int]]:
    """The stretches `(begin_ns, end_ns)` of the workload in which no worker took jobs, joined where they touch."""
    begin_ns = history.phase_ns("workload")
    if begin_ns is None:
        return
    end_ns = history.phase_ns("stop") or history.end_ns
    moments, deltas = _changes(history, begin_ns)
    order = np.argsort(moments)
    moments, states = moments[order], np.cumsum(deltas[order], axis=0)
    # What is over at the moment at which it began was nothing: only the last state of each moment lasts.
    lasts = np.append(moments[1:] != moments[:-1], True)
    moments, (ready, waiting, busy) = moments[lasts], states[lasts].T
    idle = (ready == 0) | ((waiting > 0) & (busy == 0))
    edges = [*np.flatnonzero(np.diff(idle, prepend=False)).tolist(), len(idle)]
    for here, after in pairwise(edges):
        if idle[here]:
            first = max(int(moments[here]), begin_ns)
            last = min(int(moments[after]) if after < len(idle) else end_ns, end_ns)
            if last > first:
                yield first, last


def _changes(history: History, begin_ns: int) -> tuple[Int64s, Int64s]:
    """Moments (n,) and what changes at them (n, 3): workers ready, jobs waiting, executions under way."""
    tally, executions = history.tally, history.executions
    sent = tally.has(Kind.ENQUEUE_ACKNOWLEDGED)
    parts: list[tuple[Int64s | list[int], tuple[int, int, int]]] = [
        ([begin_ns], (0, 0, 0)),  # Nothing changes, so that there is always a moment.
        *(([moment_ns], (delta, 0, 0)) for moment_ns, delta in _readiness(history)),
        (tally.first_ns(Kind.ENQUEUE_ACKNOWLEDGED)[sent], (0, 1, 0)),
        (tally.first_ns(Kind.JOB_RUNNING)[sent], (0, -1, 0)),
        (executions.begin_ns, (0, 0, 1)),
        (executions.alive_ns, (0, 0, -1)),
    ]
    moments = [moments for moments, _ in parts]
    return np.concatenate(moments), np.repeat([delta for _, delta in parts], [len(some) for some in moments], axis=0)


def _readiness(history: History) -> Iterator[tuple[int, int]]:
    """`(ns, +1 or -1)` as each worker, by name, begins and ceases to be ready."""
    columns, names = history.columns, history.processes["name"]
    ready: set[str] = set()
    for row in _comings_and_goings(history):
        kind, moment_ns = int(columns["kind"][row]), int(columns["time_ns"][row])
        if kind == Kind.WORKER_READY:
            name = str(names[int(columns["process"][row])])
            if name not in ready:
                ready.add(name)
                yield moment_ns, 1
        else:
            name = history.text(int(columns["text"][row]))
            if name in ready:
                ready.discard(name)
                yield moment_ns, -1


def _comings_and_goings(history: History) -> list[int]:
    """The rows at which workers become ready or exit, in the order of time."""
    rows = [history.columns.rows(kind) for kind in (Kind.WORKER_READY, Kind.WORKER_EXITED)]
    return [int(row) for row in np.sort(np.concatenate(rows))]
