"""The panels of the timeline: the binned series as charts, one above the other, over one axis of time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import polars as pl

from jobharness.clock import NS_PER_S
from jobharness.report.charts import Line, Panel, Tick, area_path, band_path, log_scale, round_ticks, scale, step_path
from jobharness.report.distribution import BINS_PER_DECADE, MEASURES, Distribution, decade_bin
from jobharness.report.window import Window
from jobharness.report.words import duration

__all__ = ["bin_words", "cursor_rows", "distribution_charts", "panels"]


def panels(series: pl.DataFrame, alive: Sequence[int], window: Window) -> list[Panel]:
    """The charts of the timeline, from the top: flow, open jobs, latency, and workers where they are too many for lanes."""
    bins = (window.end_ns - window.origin_ns) / window.bin_ns
    found = [_flow(series, bins), _open(series, bins), _latency(series, bins)]
    return [panel for panel in found if panel.lines] + ([_workers(alive, bins)] if alive else [])


def _linear(values: Sequence[float], most: int = 3) -> tuple[float, tuple[Tick, ...]]:
    ticks = round_ticks(max(values, default=0), most)
    top = ticks[-1] * 1.04
    return top, tuple(Tick(f"{tick:,g}", 100 - tick / top * 100) for tick in ticks if tick)


def _flow(series: pl.DataFrame, bins: float) -> Panel:
    arrivals, completions = series["arrivals"].to_list(), series["completions"].to_list()
    top, ticks = _linear([*arrivals, *completions])
    lines = (
        Line("arrivals", "arrivals", step_path(arrivals, bins, scale(top))),
        Line("completions", "completions", step_path(completions, bins, scale(top))),
    )
    return Panel("flow", "Arrivals and completions", "jobs per second", lines, ticks)


def _open(series: pl.DataFrame, bins: float) -> Panel:
    open_jobs, waiting = series["open"].to_list(), series["waiting"].to_list()
    top, ticks = _linear([*open_jobs, *waiting])
    lines = (
        Line("open", "not yet completed", area_path(open_jobs, bins, scale(top))),
        Line("waiting", "of them not yet begun", area_path(waiting, bins, scale(top))),
    )
    return Panel("open", "Open jobs", "jobs, the most at once", lines, ticks)


def _latency(series: pl.DataFrame, bins: float) -> Panel:
    title, unit = "Latency of the jobs that arrived then", "logarithmic"
    p50, p95, p99 = (series[name].to_list() for name in ("p50", "p95", "p99"))
    seen = [value for value in (*p50, *p99) if value]
    if not seen:
        return Panel("latency", title, unit, (), ())
    low, high = math.floor(math.log10(min(seen))), math.ceil(math.log10(max(seen)) + 1e-9)
    height = log_scale(10.0**low, 10.0**high)
    ticks = tuple(Tick(duration(10.0**power), height(10.0**power)) for power in range(low, high + 1))
    lines = (
        Line("spread", "", band_path(p50, p99, bins, height)),
        Line("p50", "p50", step_path(p50, bins, height)),
        Line("p95", "p95", step_path(p95, bins, height)),
        Line("p99", "p99", step_path(p99, bins, height)),
    )
    return Panel("latency", title, unit, lines, ticks)


def _workers(alive: Sequence[int], bins: float) -> Panel:
    top, ticks = _linear(alive)
    return Panel(
        "alive",
        "Workers that take jobs",
        "workers, the fewest at once",
        (Line("alive", "ready", area_path(alive, bins, scale(top))),),
        ticks,
    )


def cursor_rows(series: pl.DataFrame, alive: Sequence[int]) -> list[list[Any]]:
    """What the cursor of the timeline reads out, a row per bin: words, ready to be shown."""
    rows = []
    for row, workers in zip(series.iter_rows(named=True), alive, strict=True):
        rows.append(
            [
                f"{row['since_s']:.3f}".rstrip("0").rstrip(".") + " s",
                f"{row['arrivals']:,.3g}/s",
                f"{row['completions']:,.3g}/s",
                f"{row['open']:,}",
                f"{row['waiting']:,}",
                duration(row["p50"]),
                duration(row["p95"]),
                duration(row["p99"]),
                str(workers),
            ]
        )
    return rows


CURSOR = ("at", "arrivals", "completions", "open", "waiting", "p50", "p95", "p99", "workers")


def distribution_charts(found: Sequence[Distribution]) -> list[dict[str, Any]]:
    """The distributions on one logarithmic axis, so that their bars can be compared by eye."""
    seen = [distribution for distribution in found if distribution.counts]
    if not seen:
        return []
    first = min(distribution.first for distribution in seen) // BINS_PER_DECADE * BINS_PER_DECADE
    last = max(distribution.first + len(distribution.counts) for distribution in seen)
    bins = math.ceil((last - first) / BINS_PER_DECADE) * BINS_PER_DECADE
    decades = range(first // BINS_PER_DECADE, (first + bins) // BINS_PER_DECADE + 1)
    ticks = [Tick(duration(10.0**power), (power * BINS_PER_DECADE - first) / bins * 100) for power in decades]
    charts = []
    for distribution in seen:
        title, meaning = MEASURES[distribution.name]
        values = [0] * (distribution.first - first) + list(distribution.counts)
        marks = [
            Tick(f"{label} {duration(value)}", (decade_bin(value) - first) / bins * 100)
            for label, value in distribution.percentiles.items()
        ]
        charts.append(
            {
                "title": title,
                "meaning": meaning,
                "total": distribution.total,
                "path": area_path(values, bins, scale(max(values) * 1.04)),
                "marks": marks,
                "percentiles": {label: duration(value) for label, value in distribution.percentiles.items()},
                "ticks": ticks,
            }
        )
    return charts


def bin_words(window: Window) -> str:
    """The width of a bin, for people."""
    return duration(window.bin_ns / NS_PER_S)
