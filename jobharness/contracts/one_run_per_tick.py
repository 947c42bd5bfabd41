"""One run per tick: a periodic entry enqueues one job each time it comes due, and no more, also with two schedulers
alive.

A tick that has a name (a minute of the wall clock) comes once. Of a plain period, two ticks lie at least half of it
apart; more than one and a half of it without a tick is a tick missed.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from jobharness.contracts.evidence import is_first
from jobharness.contracts.promise import Evidence, RunPromise, offences
from jobharness.history.event import Kind
from jobharness.history.frame import History

__all__ = ["OneRunPerTick"]


class OneRunPerTick(RunPromise):
    """No tick enqueues twice, none is missed, and each tick's job runs. Needs: recorders of schedulers and workers
    alive, the queue drained."""

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
        again = pl.concat([self._named_again(ticks), self._too_soon(ticks)])
        missed = self._missed(ticks)
        idle = ticks.filter(pl.col("ran") == 0)
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

    def broken(self, figures: Mapping[str, int]) -> str:
        """How many of each."""
        parts = {
            "twice": "came twice",
            "missed": "came after others had been missed",
            "never_ran": "never ran their job",
        }
        said = "; ".join(f"{figures[name]} of {figures['ticks']} ticks {words}" for name, words in parts.items() if figures[name])
        return said

    def kept(self, figures: Mapping[str, int]) -> str:
        """How many there were."""
        return f"each of {figures['ticks']} ticks ran its job once"
