"""One metric over all runs of both sides, and the scale on which its difference is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from jobharness.metrics.exact import Floats
from jobharness.metrics.metric import Better, Metric

__all__ = ["COUNTS", "WATCHED", "Samples", "samples"]

WATCHED = (
    "throughput",
    "latency.p50",
    "latency.p95",
    "run_time.p50",
    "run_time.p95",
    "enqueue.p50",
    "attempts.mean",
    "backlog.peak",
    "drain",
    "recovery.max",
    "worker.cpu_per_job",
    "worker.memory.peak",
    "upstream.requests_per_job",
)
"""What is judged whether or not a gate names it. Few on purpose: each further one makes every call need more evidence."""
COUNTS = ("jobs.lost", "jobs.stuck", "jobs.duplicated", "jobs.dead", "recovery.never", "error_rate")
"""Bad things that are counted: any real difference is one, however small."""


@dataclass(frozen=True)
class Samples:
    """`before`, `after`: (n,) values of the runs, in order, NaN where a run has none; `paired`: the nth of both belong
    together."""

    name: str
    unit: str
    better: Better
    before: Floats
    after: Floats
    paired: bool

    @property
    def counted(self) -> bool:
        """Whether it is a count of bad things, and no measurement."""
        return self.name in COUNTS

    @cached_property
    def known(self) -> tuple[Floats, Floats]:
        """The values that can be used: whole pairs, or those that were observed."""
        if self.paired:
            both = ~(np.isnan(self.before) | np.isnan(self.after))
            return self.before[both], self.after[both]
        return self.before[~np.isnan(self.before)], self.after[~np.isnan(self.after)]

    @property
    def missing(self) -> int:
        """Pairs, or runs, that cannot be used."""
        before, after = self.known
        return len(self.before) - len(before) if self.paired else len(self.before) + len(self.after) - len(before) - len(after)

    @cached_property
    def relative(self) -> bool:
        """Whether the difference is a share of before (told by ratios), and not a number in the metric's own unit."""
        return not self.counted and all(bool((side > 0).all()) for side in self.known)

    @property
    def scaled(self) -> tuple[Floats, Floats]:
        """The values on the scale of differences."""
        before, after = self.known
        return (np.log(before), np.log(after)) if self.relative else (before, after)

    def size(self, tolerance: float) -> float:
        """A tolerance, a share of before, on the scale of differences; 0 where before is 0, of which there is no share."""
        if self.relative:
            return float(np.log1p(tolerance))
        before, _ = self.known
        return tolerance * float(before.mean()) if len(before) else 0.0

    def told(self, difference: float) -> float:
        """A difference on that scale as people read it: a share of before, or a number in the metric's unit."""
        return float(np.expm1(difference)) if self.relative else difference


def samples(before: Sequence[Mapping[str, Metric]], after: Sequence[Mapping[str, Metric]], name: str, paired: bool) -> Samples:
    """One metric of all runs. Where no run has it, every value is NaN."""
    known = next((run[name] for run in (*after, *before) if name in run), Metric(name, None, "1", 0))
    sides = (np.array([_value(run.get(name)) for run in runs]) for runs in (before, after))
    left, right = sides
    return Samples(name, known.unit, known.better, left, right, paired)


def _value(metric: Metric | None) -> float:
    """NaN for what was not observed, and for a time that never came to its end: `recovery.never` counts those."""
    if metric is None or metric.value is None or not np.isfinite(metric.value):
        return float("nan")
    return float(metric.value)
