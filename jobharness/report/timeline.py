"""The run over time, in bins: arrivals, completions, open jobs, latency percentiles. Never a point per job."""

from __future__ import annotations

import polars as pl

from jobharness.clock import NS_PER_S
from jobharness.history.frame import History
from jobharness.report.window import Window

__all__ = ["PERCENTILES", "timeline"]

PERCENTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


def timeline(history: History, window: Window) -> pl.DataFrame:
    """One row per bin of the window, in order.

    Columns: `since_s` (f64, start of the bin, from the first arrival); `arrivals` and `completions` (f64, per second; an arrival
    counts at its intended moment); `open` and `waiting` (i64, the most at once within the bin of acknowledged jobs that were
    not completed, and not begun); `p50`, `p95`, `p99` (f64, s, end-to-end latency of the jobs that *arrived* in the bin, so
    that a fault shows its price where it struck; null where none of them completed).
    """
    lives = history.lives
    bins = pl.DataFrame({"bin": range(window.bins)}, schema={"bin": pl.Int64})
    per_s = NS_PER_S / window.bin_ns
    table = (
        bins.join(_tally(lives, "intended_ns", window).rename({"n": "arrivals"}), on="bin", how="left")
        .join(_tally(lives, "finished_ns", window).rename({"n": "completions"}), on="bin", how="left")
        .join(_level(lives, _done_ns(), window).rename({"peak": "open"}), on="bin", how="left")
        .join(_level(lives, pl.col("running_ns"), window).rename({"peak": "waiting"}), on="bin", how="left")
        .join(_latency(lives, window), on="bin", how="left")
        .sort("bin")
    )
    return table.select(
        since_s=pl.col("bin") * (window.bin_ns / NS_PER_S),
        arrivals=pl.col("arrivals").fill_null(0) * per_s,
        completions=pl.col("completions").fill_null(0) * per_s,
        open=pl.col("open"),
        waiting=pl.col("waiting"),
        **{name: pl.col(name) for name in PERCENTILES},
    )


def _tally(lives: pl.DataFrame, column: str, window: Window) -> pl.DataFrame:
    found = lives.lazy().filter(pl.col(column).is_not_null()).select(bin=window.bin_of(column))
    return found.group_by("bin").agg(n=pl.len()).collect()


def _done_ns() -> pl.Expr:
    """When a job was done with: completed, or dead by its own doing."""
    by_itself = pl.when(pl.col("dead") > pl.col("worker_lost")).then(pl.col("dead_ns"))
    return pl.coalesce(pl.col("finished_ns"), by_itself)


def _level(lives: pl.DataFrame, until: pl.Expr, window: Window) -> pl.DataFrame:
    """The most acknowledged jobs at once that have not reached `until`: columns `bin`, `peak`, every bin of the window."""
    # A worker may begin a job before the producer hears that it was taken: such a job is open for no time at all.
    end = pl.when(until.is_not_null()).then(pl.max_horizontal(until, "acknowledged_ns"))
    spans = lives.lazy().filter(pl.col("acknowledged") > 0).select(start="acknowledged_ns", end=end)
    # One number a step, its lowest bit telling a start: sorted fast, and at equal times what ends goes first, so that a peak is
    # never made of two jobs that did not meet.
    steps = pl.concat([spans.select(code=pl.col("start") * 2 + 1), spans.select(code=pl.col("end") * 2).drop_nulls()]).sort(
        "code"
    )
    levels = (
        steps.select(
            bin=((pl.col("code") // 2 - window.origin_ns) // window.bin_ns).clip(0, window.bins - 1),
            level=(pl.col("code") % 2 * 2 - 1).cum_sum(),
        )
        .group_by("bin", maintain_order=True)
        .agg(top=pl.col("level").max(), last=pl.col("level").last())
    )
    every = pl.LazyFrame({"bin": range(window.bins)}, schema={"bin": pl.Int64})
    joined = every.join(levels, on="bin", how="left").sort("bin")
    before = pl.col("last").forward_fill().shift(1).fill_null(0)
    return joined.select("bin", peak=pl.max_horizontal(before, pl.col("top"), pl.lit(0, pl.Int64))).collect()


def _latency(lives: pl.DataFrame, window: Window) -> pl.DataFrame:
    done = lives.lazy().filter(pl.col("finished_ns").is_not_null() & pl.col("intended_ns").is_not_null())
    took_s = (pl.col("finished_ns") - pl.col("intended_ns")) / NS_PER_S
    return (
        done.select(bin=window.bin_of("intended_ns"), took_s=took_s)
        .group_by("bin")
        .agg(pl.col("took_s").quantile(share, interpolation="nearest").alias(name) for name, share in PERCENTILES.items())
        .collect()
    )
