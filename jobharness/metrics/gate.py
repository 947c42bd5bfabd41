"""The gate: limits on metrics. A limit that cannot be judged is *unknown* and never a pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from jobharness.metrics.metric import Metric

__all__ = ["Crossing", "Limit", "judge_gate"]


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
    """Judge each limit, in the order given. The names are known: the scenario was refused otherwise."""
    return [_judge(metrics[name], limit) for name, limit in limits.items()]


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
