"""Graceful stop: a worker that is asked to stop takes no new job, finishes or hands back what it runs, and exits in
time by itself.

What ends a worker's stop is its next exit. An execution that was under way is finished when it ended, handed back
when the library rejected it after the stop began.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl

from jobharness.clock import NS_PER_S
from jobharness.contracts.promise import Evidence, Promise, offences
from jobharness.history.columns import NEVER
from jobharness.history.event import Kind
from jobharness.history.frame import History

__all__ = ["GracefulStop"]


class _Stop(NamedTuple):
    """One orderly stop. `since_ns`: when the worker's process before this one was gone, None for the first; `exit_ns`: NEVER
    where it did not exit."""

    worker: int
    row: int
    since_ns: int | None
    asked_ns: int
    exit_ns: int
    code: int


@dataclass(frozen=True)
class GracefulStop(Promise):
    """Asked to stop, a worker begins nothing new after `settle_s`, cuts nothing off, and exits within `within_s`.
    Needs: recorders alive."""

    within_s: float
    settle_s: float = 1.0
    name = "graceful_stop"
    needs = frozenset((Kind.JOB_RUNNING, Kind.JOB_FINISHED, Kind.WORKER_STOPPING))
    nothing = "no worker was asked to stop"

    @property
    def promise(self) -> str:
        """The promise, with its bound."""
        return f"a worker asked to stop finishes its jobs, takes no new ones, and exits within {self.within_s:g} s"

    def evidence(self, history: History) -> Evidence:
        """The executions that were cut off, then those that began too late."""
        tables = [table for stop in _stops(history) for table in (self._cut(history, stop), self._begun(history, stop))]
        cut, begun = tables[::2], tables[1::2]
        counts = {"cut_off": sum(t.height for t in cut), "begun_late": sum(t.height for t in begun)}
        none = offences("", job=[], weight=[])
        return Evidence(0, pl.concat([none, *tables]), counts["cut_off"], counts)

    def of_run(self, history: History) -> Evidence:
        """The workers that did not exit in time, or not by themselves."""
        stops = list(_stops(history))
        bad = [(stop, reason) for stop in stops if (reason := self._overdue(stop))]
        found = offences(
            pl.col("reason"),
            job=None,
            row=np.array([stop.row for stop, _ in bad], np.int64),
            weight=np.full(len(bad), 2.0),
            reason=pl.Series([reason for _, reason in bad], dtype=pl.String),
        )
        unseen = sum(stop.exit_ns == NEVER for stop, _ in bad)
        return Evidence(len(stops), found, unseen, {"stops": len(stops), "overdue": len(bad)})

    def _overdue(self, stop: _Stop) -> str:
        if stop.exit_ns == NEVER:
            return "the worker never exited"
        took_ns = stop.exit_ns - stop.asked_ns
        if took_ns > round(self.within_s * NS_PER_S):
            return f"the worker exited after {took_ns // 1_000_000} ms"
        return f"the worker was ended by signal {-stop.code}" if stop.code < 0 else ""

    def _cut(self, history: History, stop: _Stop) -> pl.DataFrame:
        executions, tally = history.executions, history.tally
        cut = executions.end_kind == 0
        cut &= executions.begin_ns <= stop.exit_ns
        if stop.since_ns is not None:
            cut &= executions.begin_ns > stop.since_ns
        which = np.flatnonzero(cut)
        which = which[history.workers[executions.process[which]] == stop.worker]
        begin_ns, alive_ns = executions.begin_ns[which], executions.alive_ns[which]
        struck_before = (alive_ns > begin_ns) & (alive_ns < stop.asked_ns)
        dead_ns = tally.last_ns(Kind.JOB_DEAD)[executions.job[which]]
        died_before = (dead_ns >= begin_ns) & (dead_ns < stop.asked_ns)
        back_ns = tally.last_ns(Kind.JOB_REJECTED)[executions.job[which]]
        handed_back = (back_ns >= stop.asked_ns) & (back_ns != NEVER)
        which = which[~struck_before & ~died_before & ~handed_back]
        return offences(
            "cut off when its worker stopped",
            job=executions.job[which],
            row=executions.row[which],
            weight=np.full(len(which), 3.0),
        )

    def _begun(self, history: History, stop: _Stop) -> pl.DataFrame:
        executions = history.executions
        first, last = np.searchsorted(
            executions.begin_ns,
            [stop.asked_ns + round(self.settle_s * NS_PER_S) + 1, stop.exit_ns],
        )
        which = np.arange(first, max(first, last))
        which = which[history.workers[executions.process[which]] == stop.worker]
        return offences(
            "begun after its worker was asked to stop",
            job=executions.job[which],
            row=executions.row[which],
            weight=np.full(len(which), 1.0),
        )

    def broken(self, figures: Mapping[str, int]) -> str:
        """How many of each."""
        words = {
            "cut_off": "executions were cut off",
            "overdue": "workers did not exit by themselves in time",
            "begun_late": "executions began after their worker was asked to stop",
        }
        return "; ".join(f"{figures[name]} {what}" for name, what in words.items() if figures[name])

    def kept(self, figures: Mapping[str, int]) -> str:
        """How many stops there were."""
        return f"{figures['stops']} workers stopped in order"


def _stops(history: History) -> Iterator[_Stop]:
    """Every orderly stop of a worker; of several notices before one exit the first counts."""
    columns, names = history.columns, history.processes["name"]
    times, values = columns["time_ns"], columns["value"]
    exits = [(history.text(int(columns["text"][row])), row) for row in columns.rows(Kind.WORKER_EXITED).tolist()]
    seen: set[tuple[str, int | None]] = set()
    for row in columns.rows(Kind.WORKER_STOPPING).tolist():
        process = int(columns["process"][row])
        before = [exit_row for name, exit_row in exits if name == names[process] and exit_row < row]
        after = next((exit_row for name, exit_row in exits if name == names[process] and exit_row > row), None)
        if (names[process], after) in seen:
            continue
        seen.add((names[process], after))
        since_ns = int(times[before[-1]]) if before else None
        exit_ns, code = (int(times[after]), int(values[after])) if after is not None else (NEVER, 0)
        yield _Stop(int(history.workers[process]), row, since_ns, int(times[row]), exit_ns, code)
