"""The gate: limits on metrics. A limit that cannot be judged is *unknown* and never a pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from jobharness.metrics.metric import Metric
from jobharness.metrics.schedule import off_schedule

__all__ = ["Crossing", "Limit", "judge_gate"]

SPEEDS = ("s", "1/s")


class Limit(Protocol):
    """Limits on one metric, in its base unit (see `scenario.model.GateSpec`)."""

    @property
    def max(self) -> float | None: ...
    @property
    def min(self) -> float | None: ...
    @property
    def regress(self) -> float | None: ...


@dataclass(frozen=True)
class Crossing:
    """What the gate says of one metric. `word`: "passed", "crossed", or "unknown" with the reason in `sentence`."""

    metric: str
    word: Literal["passed", "crossed", "unknown"]
    sentence: str


def judge_gate(metrics: Mapping[str, Metric], limits: Mapping[str, Limit]) -> list[Crossing]:
    """Judge each limit, in the order given. The names are known: the scenario was refused otherwise.

    A limit on a speed that is crossed in a run whose producer did not keep its schedule is *unknown*: the producer may be why.
    """
    off = off_schedule(metrics)
    judged = [_judge(metrics[name], limit) for name, limit in limits.items()]
    return [_excused(crossing, off) if off and metrics[crossing.metric].unit in SPEEDS else crossing for crossing in judged]


def _excused(crossing: Crossing, why: str) -> Crossing:
    if crossing.word != "crossed":
        return crossing
    return Crossing(crossing.metric, "unknown", f"{crossing.sentence}, but {why}")


def _judge(metric: Metric, limit: Limit) -> Crossing:
    if metric.value is None:
        return Crossing(metric.name, "unknown", f"{metric.name} was not observed in this run")
    seen = f"{metric.name} is {metric}"
    if limit.max is not None and metric.value > limit.max:
        return Crossing(metric.name, "crossed", f"{seen}, more than {Metric(metric.name, limit.max, metric.unit, 0)}")
    if limit.min is not None and metric.value < limit.min:
        return Crossing(metric.name, "crossed", f"{seen}, less than {Metric(metric.name, limit.min, metric.unit, 0)}")
    if limit.regress is not None:
        return Crossing(
            metric.name, "unknown", f"{metric.name}: `regress` needs several runs of a version before, and there are none"
        )
    return Crossing(metric.name, "passed", seen)
