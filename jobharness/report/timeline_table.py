"""The timeline in words: what its chart shows, for who reads it by keyboard, by ear, or without a script."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl

from jobharness.report.window import Window
from jobharness.report.words import duration
from jobharness.report.workers import Lane

__all__ = ["BINS", "CALLS", "LANES", "bin_rows", "lane_rows"]

BINS = ("at", "arrivals", "completions", "open", "waiting", "p50", "p95", "p99", "workers")
CALLS = ("API", "429", "failed")
"""Beside the others where the API was called."""
LANES = ("worker", "from", "to", "was", "exit code")


def bin_rows(series: pl.DataFrame, workers: Sequence[int], calls: pl.DataFrame | None = None) -> list[list[str]]:
    """A row per bin, in the order of `BINS`, and of `CALLS` where there are `calls` (as `calls.answers` has them)."""
    called = [[] for _ in workers] if calls is None else [[f"{rate:,.3g}/s" for rate in row] for row in calls.iter_rows()]
    return [
        [
            _moment(row["since_s"]),
            f"{row['arrivals']:,.3g}/s",
            f"{row['completions']:,.3g}/s",
            f"{row['open']:,}",
            f"{row['waiting']:,}",
            duration(row["p50"]),
            duration(row["p95"]),
            duration(row["p99"]),
            str(ready),
            *answered,
        ]
        for row, ready, answered in zip(series.iter_rows(named=True), workers, called, strict=True)
    ]


def lane_rows(lanes: Iterable[Lane], window: Window) -> list[list[str]]:
    """A row per stretch of a worker's life within the window, in the order of `LANES`."""
    return [
        [
            lane.name,
            _moment(max(0.0, window.since_s(span.start_ns))),
            _moment(min(window.length_s, window.since_s(span.end_ns))),
            "ready" if span.ready else "starting",
            "" if span.exit_code is None else str(span.exit_code),
        ]
        for lane in lanes
        for span in lane.spans
        if span.end_ns > window.origin_ns and span.start_ns < window.end_ns
    ]


def _moment(since_s: float) -> str:
    return f"{since_s:.3f}".rstrip("0").rstrip(".") + " s"
