"""When each worker was there: a lane per worker, through all its processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from jobharness.history.event import Kind
from jobharness.history.frame import History
from jobharness.report.window import Window

__all__ = ["Lane", "Span", "alive", "lanes_of"]


@dataclass(frozen=True)
class Span:
    """A stretch of a worker's life. `ready`: it took jobs; otherwise it was starting.

    `exit_code`: how its process ended, if it did then.
    """

    start_ns: int
    end_ns: int
    ready: bool
    exit_code: int | None = None


@dataclass(frozen=True)
class Lane:
    """One worker by name; its spans in the order of time, with gaps where it was gone."""

    name: str
    spans: tuple[Span, ...]


def lanes_of(history: History, window: Window) -> list[Lane]:
    """A lane for each worker that the run started, in the order of their numbers.

    A span that did not end lasts to the window's end.
    """
    names = history.processes["name"]
    found: dict[str, list[tuple[int, Kind, int]]] = {}
    rows = history.of(Kind.WORKER_STARTED, Kind.WORKER_READY, Kind.WORKER_EXITED).sort("row").collect()
    for event in rows.iter_rows(named=True):
        kind = Kind(event["kind"])
        name = str(names[event["process"]]) if kind is Kind.WORKER_READY else history.text(event["text"])
        found.setdefault(name, []).append((event["time_ns"], kind, event["value"]))
    return [Lane(name, tuple(_spans(found[name], window.over_ns))) for name in sorted(found, key=lambda name: (len(name), name))]


def _spans(events: list[tuple[int, Kind, int]], end_ns: int) -> list[Span]:
    spans: list[Span] = []
    since_ns: int | None = None
    ready = False
    for time_ns, kind, value in events:
        # A prefork child may say ready again: only the first counts.
        if kind is Kind.WORKER_READY and (ready or since_ns is None):
            continue
        if since_ns is not None:
            spans.append(Span(since_ns, time_ns, ready, value if kind is Kind.WORKER_EXITED else None))
        since_ns = None if kind is Kind.WORKER_EXITED else time_ns
        ready = kind is Kind.WORKER_READY
    if since_ns is not None and since_ns < end_ns:
        spans.append(Span(since_ns, end_ns, ready))
    return spans


def alive(lanes: Sequence[Lane], window: Window) -> list[int]:
    """The fewest workers that were ready at once, per bin of the window: shape (window.bins,)."""
    steps = [step for lane in lanes for span in lane.spans if span.ready for step in ((span.start_ns, 1), (span.end_ns, -1))]
    if not steps:
        return [0] * window.bins
    # At equal times the ends go first: a replacement that is ready at the very moment still leaves a gap to see.
    table = pl.DataFrame(sorted(steps), schema={"time_ns": pl.Int64, "step": pl.Int64}, orient="row")
    levels = table.with_columns(level=pl.col("step").cum_sum(), bin=window.bin_of("time_ns"))
    fewest, level = [], 0
    by_bin = {
        key[0]: rows["level"].to_list() for key, rows in levels.partition_by("bin", as_dict=True, maintain_order=True).items()
    }
    for before in sorted(place for place in by_bin if place < 0):
        level = by_bin[before][-1]
    for place in range(window.bins):
        inside = by_bin.get(place, [])
        fewest.append(min([level, *inside]))
        level = inside[-1] if inside else level
    return fewest
