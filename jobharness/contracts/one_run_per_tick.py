"""One run per tick: a periodic entry enqueues one job each time it comes due, and no more, also with two schedulers
alive.

A tick that has a name (a minute of the wall clock) comes once. Of a plain period, two ticks lie at least half of it
apart; more than one and a half of it without a tick is a tick missed. Where the scenario says how often an entry comes due, that
is asked of the whole workload: also of a scheduler that never began, or never came back. What comes due while the run is being
stopped is not judged, and of what comes due while the queue drains not whether it ran: a schedule goes on as long as it is let.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from jobharness.clock import NS_PER_S
from jobharness.contracts.evidence import is_first
from jobharness.contracts.promise import Evidence, RunPromise, offences
from jobharness.history.event import Kind
from jobharness.history.frame import History

__all__ = ["OneRunPerTick"]


@dataclass(frozen=True)
class OneRunPerTick(RunPromise):
    """No tick enqueues twice, none is missed, and each tick's job runs. Needs: recorders of schedulers and workers
    alive, the queue drained. `expected`: (entry, period in s) of each entry that must come due all along."""

    expected: tuple[tuple[str, float], ...] = ()
    name = "one_run_per_tick"
    promise = "each tick of a schedule runs its job once"
    needs = frozenset((Kind.SCHEDULE_TICK, Kind.JOB_RUNNING))
    nothing = "no schedule came due"

    def observe(self, history: History) -> pl.DataFrame:
        """`time_ns, job, row, entry, tick, period_ns, ran` of each tick."""
        columns, rows = history.columns, history.columns.rows_of_jobs(Kind.SCHEDULE_TICK)
        job = columns["job"][rows]
        return pl.DataFrame(
            {
                "time_ns": columns["time_ns"][rows],
                "job": job,
                "row": rows,
                "entry": columns["text"][rows],
                "tick": columns["group"][rows],
                "period_ns": columns["value"][rows],
                "ran": history.tally.count(Kind.JOB_RUNNING)[job],
            }
        )

    def weigh(self, observed: pl.DataFrame, history: History) -> Evidence:
        """Ticks that came twice first, then those that were missed, then jobs that never ran."""
        ticks = observed.sort("entry", "time_ns", "row")
        stop_ns = history.phase_ns("stop")
        if stop_ns is not None:
            ticks = ticks.filter(pl.col("time_ns") <= stop_ns)
        again = pl.concat([self._named_again(ticks), self._too_soon(ticks)])
        missed = self._missed(ticks.filter(~_of(history, [entry for entry, _ in self.expected])))
        missed = pl.concat([missed, *(self._absent(ticks, history, entry, every_s) for entry, every_s in self.expected)])
        drain_ns = history.phase_ns("drain")
        due = ticks if drain_ns is None else ticks.filter(pl.col("time_ns") <= drain_ns)
        idle = due.filter(pl.col("ran") == 0)
        never = offences(
            "its job never ran", job=idle["job"].to_numpy(), row=idle["row"].to_numpy(), weight=np.zeros(idle.height)
        )
        counts = {"ticks": ticks.height, "twice": again.height, "missed": missed.height, "never_ran": never.height}
        return Evidence(ticks.height, pl.concat([again, missed, never]), missed.height + never.height, counts)

    def _named_again(self, ticks: pl.DataFrame) -> pl.DataFrame:
        named = ticks.filter(pl.col("tick") > 0)
        again = named.filter(~named.select(pl.struct("entry", "tick").is_first_distinct()).to_series())
        return offences(
            "its tick had come before",
            job=again["job"].to_numpy(),
            row=again["row"].to_numpy(),
            weight=np.full(again.height, 2.0),
        )

    def _gaps(self, ticks: pl.DataFrame) -> pl.DataFrame:
        """The plain ticks of entries with a period that have one of the same entry before them, with `gap_ns` since
        it."""
        plain = ticks.filter((pl.col("tick") == 0) & (pl.col("period_ns") > 0))
        gap = np.diff(plain["time_ns"].to_numpy(), prepend=0)
        return plain.with_columns(gap_ns=gap).filter(~pl.Series(is_first(plain["entry"].to_numpy())))

    def _too_soon(self, ticks: pl.DataFrame) -> pl.DataFrame:
        soon = self._gaps(ticks).filter(2 * pl.col("gap_ns") < pl.col("period_ns"))
        return offences(
            pl.format("came {} ms after the tick before, with a period of {} ms", "gap", "period"),
            job=soon["job"].to_numpy(),
            row=soon["row"].to_numpy(),
            weight=np.full(soon.height, 2.0),
            gap=soon["gap_ns"] // 1_000_000,
            period=soon["period_ns"] // 1_000_000,
        )

    def _missed(self, ticks: pl.DataFrame) -> pl.DataFrame:
        wide = self._gaps(ticks).filter(2 * pl.col("gap_ns") > 3 * pl.col("period_ns"))
        return offences(
            pl.format("came {} ms after the tick before, with a period of {} ms", "gap", "period"),
            job=wide["job"].to_numpy(),
            row=wide["row"].to_numpy(),
            weight=np.full(wide.height, 1.0),
            gap=wide["gap_ns"] // 1_000_000,
            period=wide["period_ns"] // 1_000_000,
        )

    def _absent(self, ticks: pl.DataFrame, history: History, entry: str, every_s: float) -> pl.DataFrame:
        """The times within the workload in which an expected entry did not come due, though more than one and a half of
        its periods passed."""
        every_ns, moments = round(every_s * NS_PER_S), ticks.filter(_of(history, [entry]))["time_ns"]
        start_ns, end_ns = history.phase_ns("workload"), history.phase_ns("heal")
        start_ns = start_ns if start_ns is not None else int(moments.min() or 0)  # type: ignore[arg-type]  # polars: any value
        end_ns = end_ns if end_ns is not None else history.end_ns
        within = moments.filter(moments.is_between(start_ns, end_ns)).to_numpy()
        gap = np.diff(np.concatenate([[start_ns], within, [end_ns]]))
        wide = gap[2 * gap > 3 * every_ns]
        return offences(
            pl.format(f"{entry} did not come due for {{}} ms, with a period of {{}} ms", "gap", "period"),
            job=None,
            weight=np.full(len(wide), 1.0),
            gap=wide // 1_000_000,
            period=np.full(len(wide), every_ns // 1_000_000),
        )

    def broken(self, figures: Mapping[str, int]) -> str:
        """How many of each."""
        parts = {
            "twice": "came twice",
            "missed": "came after others had been missed",
            "never_ran": "never ran their job",
        }
        return "; ".join(f"{figures[name]} of {figures['ticks']} ticks {words}" for name, words in parts.items() if figures[name])

    def kept(self, figures: Mapping[str, int]) -> str:
        """How many there were."""
        return f"each of {figures['ticks']} ticks ran its job once"


def _of(history: History, entries: list[str]) -> pl.Expr:
    """Whether a tick is of one of these entries."""
    return pl.col("entry").is_in(history.texts.is_in(entries).arg_true().to_list())
