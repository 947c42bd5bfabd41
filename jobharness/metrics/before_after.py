"""Two runs side by side: every metric, and every variable that differs between them.

What was counted (lost, stuck, duplicated jobs) is a fact about the two runs. How fast they were is a measurement, and one run a
side is no evidence of a difference: two runs of the same version differ too. So a measured difference is shown and never called
better or worse.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

from jobharness.metrics.differences import Difference, differences
from jobharness.metrics.metric import Metric
from jobharness.metrics.schedule import off_schedule

__all__ = ["COUNTED", "Change", "Comparison", "Side", "compare"]

COUNTED = (
    "jobs.acknowledged",
    "jobs.refused",
    "jobs.unknown",
    "jobs.completed",
    "jobs.lost",
    "jobs.stuck",
    "jobs.duplicated",
    "jobs.dead",
    "faults.strikes",
    "faults.jobs_hit",
    "recovery.never",
)

ONE_RUN = (
    "One run a side is no evidence of a difference in speed: two runs of the same version differ too. "
    "Read the measured rows as what these two runs did; the counted rows are facts."
)


@dataclass(frozen=True)
class Side:
    """One of the two runs. `variables`: everything that could explain a difference, nested as it came (scenario, settings,
    versions, machine)."""

    name: str
    metrics: Mapping[str, Metric]
    variables: Mapping[str, Any]


@dataclass(frozen=True)
class Change:
    """One metric, before and after. `counted`: a fact about the two runs; else a measurement of one run a side."""

    before: Metric
    after: Metric

    @property
    def name(self) -> str:
        """The metric's name."""
        return self.after.name

    @property
    def counted(self) -> bool:
        """Whether it is a count of jobs or strikes."""
        return self.name in COUNTED

    @property
    def share(self) -> float | None:
        """The difference as a share of the value before; None where there is none to take a share of."""
        if self.before.value is None or self.after.value is None or self.before.value == 0:
            return None
        if inf in (self.before.value, self.after.value):
            return None
        return self.after.value / self.before.value - 1

    @property
    def word(self) -> str:
        """ "better", "worse" or "same" for a count that has a good direction; "" for everything else."""
        if not self.counted or self.after.better == "neither" or self.before.value is None or self.after.value is None:
            return ""
        if self.before.value == self.after.value:
            return "same"
        return "better" if (self.after.value < self.before.value) is (self.after.better == "lower") else "worse"


@dataclass(frozen=True)
class Comparison:
    """Two runs side by side. `same_work`: both had the same seed and workload, without which no row means anything. `warnings`:
    what keeps a reader from concluding more than the runs allow, the gravest first."""

    before: str
    after: str
    changes: tuple[Change, ...]
    differences: tuple[Difference, ...]
    same_work: bool
    warnings: tuple[str, ...]


def compare(before: Side, after: Side) -> Comparison:
    """Lay two runs side by side. Metrics that only one side has are left out; the order is that of `after`."""
    changes = tuple(Change(before.metrics[name], metric) for name, metric in after.metrics.items() if name in before.metrics)
    found = tuple(differences(before.variables, after.variables))
    work = [one.name for one in found if one.name == "seed" or one.name.startswith("workload.")]
    off = [f"{side.name}: {why}." for side in (before, after) if (why := off_schedule(side.metrics))]
    return Comparison(before.name, after.name, changes, found, not work, (*off, *_warnings(found, work)))


def _warnings(differences: tuple[Difference, ...], work: list[str]) -> Iterator[str]:
    if work:
        yield f"The two runs did not do the same work ({', '.join(work)} differ), so they cannot be compared."
    if len(differences) > 1:
        yield f"{len(differences)} variables differ, so no single one of them can be named as the cause of a difference."
    if not differences:
        yield "No variable differs: what differs between the two runs is chance."
    yield ONE_RUN
