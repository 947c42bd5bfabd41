"""The gate: limits on metrics, of one run or of several runs of two versions. A limit that cannot be judged is *unknown* and
never a pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from jobharness.metrics.intervals import interval
from jobharness.metrics.judgement import Judgement
from jobharness.metrics.metric import Metric
from jobharness.metrics.samples import samples
from jobharness.metrics.schedule import off_schedule

__all__ = ["Crossing", "Limit", "judge_gate", "judge_gate_of_runs"]

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
            metric.name,
            "unknown",
            f"{metric.name}: `regress` needs several runs of a version before, and there are none; `jobharness ab` makes them",
        )
    return Crossing(metric.name, "passed", seen)


def judge_gate_of_runs(
    after: Sequence[Mapping[str, Metric]], judgements: Sequence[Judgement], limits: Mapping[str, Limit]
) -> list[Crossing]:
    """Judge each limit by the interval over the runs after: `max` and `min` by that of the metric, `regress` by that of its
    difference. Crossed: the whole interval lies past the limit. Passed: none of it does. Else unknown."""
    by_name = {one.name: one for one in judgements}
    return [
        _gravest(name, [*_level(after, name, limit), *_regression(by_name.get(name), name, limit)])
        for name, limit in limits.items()
    ]


def _gravest(name: str, found: Sequence[Crossing]) -> Crossing:
    return min(found, key=lambda one: ("crossed", "unknown", "passed").index(one.word))


def _level(after: Sequence[Mapping[str, Metric]], name: str, limit: Limit) -> Iterator[Crossing]:
    if limit.max is None and limit.min is None:
        return
    one = samples((), after, name, paired=False)
    values = one.known[1]
    if len(values) < 2:
        yield Crossing(name, "unknown", f"{name} was observed in {len(values)} of {len(after)} runs; an interval needs several")
        return
    found = interval(values)
    low, high = (Metric(name, end, one.unit, 0) for end in (found.low, found.high))
    seen = f"{name} is {Metric(name, found.value, one.unit, 0)} ({low} to {high})"
    for bound, words in ((limit.max, "more than"), (limit.min, "less than")):
        if bound is None:
            continue
        upper = words == "more than"
        past, within = (found.low > bound, found.high <= bound) if upper else (found.high < bound, found.low >= bound)
        shown = Metric(name, bound, one.unit, 0)
        if past:
            yield Crossing(name, "crossed", f"{seen}, {words} {shown}")
        elif within:
            yield Crossing(name, "passed", seen)
        else:
            yield Crossing(name, "unknown", f"{seen}, which may or may not be {words} {shown}; more runs would tell")


def _regression(judged: Judgement | None, name: str, limit: Limit) -> Iterator[Crossing]:
    if limit.regress is None:
        return
    if judged is None:
        yield Crossing(name, "unknown", f"{name} was not observed on both sides")
    elif judged.word == "worse":
        yield Crossing(name, "crossed", f"{name} is worse than before, by more than {limit.regress:.0%}: {judged.difference}")
    elif judged.worst is not None and judged.worst <= judged.tolerance:
        yield Crossing(name, "passed", f"{name} is not worse by more than {limit.regress:.0%}: {judged.difference}")
    else:
        yield Crossing(name, "unknown", f"{name} may or may not be worse by more than {limit.regress:.0%}: {judged.sentence}")
