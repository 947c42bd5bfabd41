"""Time limit enforced: no execution goes on past its limit.

With a hard limit, an execution ends at the latest `grace` after it. With a soft limit alone, an execution that
reaches it is interrupted, and ends at the latest `grace` later. With both, between them the task may clean up; how
many executions did is counted (`past_soft`). An execution whose end nobody saw is an offence if its worker lived on
past the limit, and neither a fault nor the loss of its process ended it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from jobharness.clock import NS_PER_S
from jobharness.contracts.evidence import ms
from jobharness.contracts.promise import Evidence, Promise, offences
from jobharness.history.columns import NEVER, Int64s
from jobharness.history.event import Kind
from jobharness.history.frame import History

__all__ = ["TimeLimit"]


@dataclass(frozen=True)
class TimeLimit(Promise):
    """No execution goes on past `hard_s` (or `soft_s`, where there is no hard limit) plus `grace_s`. Needs:
    recorders alive.

    `tasks`: the tasks that it is about; empty: all.
    """

    soft_s: float | None = None
    hard_s: float | None = None
    grace_s: float = 1.0
    tasks: tuple[str, ...] = ()
    name = "time_limit"
    needs = frozenset((Kind.JOB_RUNNING, Kind.JOB_FINISHED, Kind.JOB_TIMED_OUT))

    @property
    def limit_s(self) -> float:
        """What no execution may go past, without the grace."""
        return self.hard_s if self.hard_s is not None else self.soft_s if self.soft_s is not None else float("inf")

    @property
    def promise(self) -> str:
        """The promise, with its limit."""
        return f"no execution goes on for more than {self.limit_s:g} s (and {self.grace_s:g} s of grace)"

    def evidence(self, history: History) -> Evidence:
        """The longest executions first."""
        executions = history.executions
        took_ns = executions.alive_ns - executions.begin_ns
        cut = np.flatnonzero(executions.end_kind == 0)
        took_ns[cut] = self._gone_ns(history, cut) - executions.begin_ns[cut]
        count = len(executions)
        if self.tasks:
            about = history.jobs_of(self.tasks)[executions.job]
            took_ns[~about], count = 0, int(about.sum())
        over = np.flatnonzero(took_ns > round((self.limit_s + self.grace_s) * NS_PER_S))
        past_soft = int((took_ns > round(self.soft_s * NS_PER_S)).sum()) if self.soft_s is not None else 0
        ended = executions.end_kind[over] > 0
        found = offences(
            pl.when("ended")
            .then(pl.format("went on for {} ms", "took"))
            .otherwise(pl.format("no end was seen for {} ms", "took")),
            job=executions.job[over],
            row=executions.row[over],
            weight=took_ns[over],
            took=ms(took_ns[over]),
            ended=ended,
        )
        longest_ms = int(ms(took_ns.max(initial=0)))
        counts = {"executions": count, "over": len(over), "past_soft": past_soft}
        return Evidence(count, found, int((~ended).sum()), counts, {"longest_ms": longest_ms})

    def _gone_ns(self, history: History, which: Int64s) -> Int64s:
        """When at the latest each cut-off execution was over: its worker's exit, a strike, its job given up; else
        the end of the history."""
        executions = history.executions
        gone = np.full(len(which), history.end_ns, np.int64)
        begin_ns = executions.begin_ns[which]
        struck = executions.alive_ns[which] > begin_ns
        gone[struck] = executions.alive_ns[which][struck]
        died_ns = history.tally.last_ns(Kind.JOB_DEAD)[executions.job[which]]
        died = (died_ns != NEVER) & (died_ns >= begin_ns)
        gone[died] = np.minimum(gone, died_ns)[died]
        worker = history.workers[executions.process[which]]
        for number, exits_ns in _exits_ns(history).items():
            mine = np.flatnonzero(worker == number)
            place = np.searchsorted(exits_ns, begin_ns[mine])
            known = place < len(exits_ns)
            gone[mine[known]] = np.minimum(gone[mine[known]], exits_ns[place[known]])
        return gone

    def broken(self, figures: Mapping[str, int]) -> str:
        """How many went on, and the longest."""
        return f"{figures['over']} of {figures['executions']} executions went on too long, one for {figures['longest_ms']} ms"

    def kept(self, figures: Mapping[str, int]) -> str:
        """The longest."""
        return f"the longest of {figures['executions']} executions took {figures['longest_ms']} ms"


def _exits_ns(history: History) -> dict[int, Int64s]:
    """When each worker (by its number) lost a main process, ascending."""
    columns = history.columns
    rows = columns.rows(Kind.WORKER_EXITED)
    numbers = dict(zip(history.processes["name"].to_list(), history.workers.tolist(), strict=True))
    exits: dict[int, list[int]] = {}
    for row in rows:
        name = history.text(int(columns["text"][row]))
        if name in numbers:
            exits.setdefault(numbers[name], []).append(int(columns["time_ns"][row]))
    return {number: np.array(times, np.int64) for number, times in exits.items()}
