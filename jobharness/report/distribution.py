"""How long jobs took, as shares per logarithmic bin: the shape that a percentile hides."""

from __future__ import annotations

import math
from dataclasses import dataclass

import polars as pl

from jobharness.clock import NS_PER_S
from jobharness.history.frame import History

__all__ = ["MEASURES", "Distribution", "decade_bin", "distributions"]

BINS_PER_DECADE = 12
SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}
MEASURES = {
    "latency": ("End to end", "from the intended arrival to completion"),
    "wait": ("Wait", "from the intended arrival to the first start"),
    "enqueue": ("Enqueue", "the call that hands the job to the broker"),
}


@dataclass(frozen=True)
class Distribution:
    """One measure of all jobs. `first`: the decade bin that `counts` begins with; bin i begins at
    10**((first+i)/12) s.

    `percentiles`: seconds by name; empty where nothing was observed.
    """

    name: str
    first: int
    counts: tuple[int, ...]
    percentiles: dict[str, float]

    @property
    def total(self) -> int:
        """How many jobs are in it."""
        return sum(self.counts)


def distributions(history: History) -> list[Distribution]:
    """One distribution per measure, in the order of `MEASURES`."""
    lives = history.lives
    spans_ns = {
        "latency": pl.col("finished_ns") - pl.col("intended_ns"),
        "wait": pl.col("running_ns") - pl.col("intended_ns"),
        "enqueue": pl.col("acknowledged_ns") - pl.col("begun_ns"),
    }
    return [distribution(name, lives.select(ns=spans_ns[name])["ns"].drop_nulls()) for name in MEASURES]


def distribution(name: str, spans_ns: pl.Series) -> Distribution:
    """The distribution of some spans, ns; those of a microsecond or less count as one."""
    if not len(spans_ns):
        return Distribution(name, 0, (), {})
    place = (spans_ns.clip(1000, None) / NS_PER_S).log(10) * BINS_PER_DECADE
    found = place.floor().cast(pl.Int64).value_counts().sort(place.name)
    bins, counts = found.columns
    by_bin = dict(zip(found[bins].to_list(), found[counts].to_list(), strict=True))
    first, last = min(by_bin), max(by_bin)
    quantiles = {label: spans_ns.quantile(share, interpolation="nearest") for label, share in SHARES.items()}
    return Distribution(
        name,
        first,
        tuple(by_bin.get(place, 0) for place in range(first, last + 1)),
        {label: value / NS_PER_S for label, value in quantiles.items() if value is not None},
    )


def decade_bin(seconds: float) -> float:
    """Where a span stands on the logarithmic axis, in bins."""
    return math.log10(max(seconds, 1e-6)) * BINS_PER_DECADE
