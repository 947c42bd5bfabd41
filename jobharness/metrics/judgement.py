"""What several runs of two versions say of each metric: better, worse, no difference beyond the tolerance, or not enough
evidence.

A difference is called only if it is both real and large: after Holm's correction over all metrics an exact test leaves chance
at most `ALPHA`, and the whole interval lies past the tolerance. No difference is called only if the whole interval lies
within it. Everything else is not enough evidence, and is said to be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Literal

from jobharness.metrics.detectable import detectable, unseen_share
from jobharness.metrics.exact import fewest_pairs, fewest_runs, flipped, ranked, relabelled
from jobharness.metrics.holm import holm
from jobharness.metrics.intervals import Interval, interval, interval_of_two, typical
from jobharness.metrics.metric import Better, Metric
from jobharness.metrics.samples import COUNTS, WATCHED, Samples, samples

__all__ = ["ALPHA", "TOLERANCE", "JudgedWord", "Judgement", "fewest", "judge_metrics"]

ALPHA = 0.01
"""How many comparisons of one version with itself may call any metric at all; at most."""
MANY_TIMES = 9
TOLERANCE = 0.05
"""A difference that matters, as a share of before, where no gate says otherwise."""

JudgedWord = Literal["better", "worse", "no difference", "not enough evidence"]


@dataclass(frozen=True)
class Judgement:
    """What is said of one metric. `before`, `after`: the typical run of either side. `low`, `effect`, `high`, `tolerance`,
    `detectable`: shares of before where `relative`, else in the metric's unit; None where too few runs have a value. `p`: of
    chance, corrected. `count`: pairs, or runs of the smaller side."""

    name: str
    unit: str
    better: Better
    relative: bool
    before: float | None
    after: float | None
    low: float | None
    effect: float | None
    high: float | None
    tolerance: float
    detectable: float | None
    p: float
    count: int
    word: JudgedWord
    sentence: str

    @property
    def worst(self) -> float | None:
        """How much worse it may be at most, by the interval: the worse end, positive where that is worse than before."""
        if self.low is None or self.high is None:
            return None
        return self.high if self.better == "lower" else -self.low

    @property
    def difference(self) -> str:
        """The effect with its interval, in words: "+9.8% (+7.1% to +12.4%)"."""
        if self.low is None or self.effect is None or self.high is None:
            return "not known"
        return f"{self._told(self.effect)} ({self._told(self.low)} to {self._told(self.high)})"

    @property
    def smallest(self) -> str:
        """The smallest difference that could have been seen, in words; empty where that is not known."""
        return "" if self.detectable is None else self._told(self.detectable).lstrip("+")

    def _told(self, value: float) -> str:
        if self.relative:
            return f"{value:+.1%}" if value < MANY_TIMES else f"more than +{MANY_TIMES:.0%}"
        shown = f"{abs(value):.2g}" if self.unit == "jobs" else str(Metric(self.name, abs(value), self.unit, 0))
        return f"{'-' if value < 0 else '+'}{shown}"

    @property
    def width(self) -> float | None:
        """From end to end of the interval."""
        return None if self.low is None or self.high is None else self.high - self.low


def fewest(tests: int, paired: bool) -> int:
    """The fewest pairs, or runs a side, with which any difference can be called when `tests` metrics are judged."""
    return fewest_pairs(tests, ALPHA) if paired else fewest_runs(tests, ALPHA)


def judge_metrics(
    before: Sequence[Mapping[str, Metric]],
    after: Sequence[Mapping[str, Metric]],
    tolerances: Mapping[str, float],
    paired: bool,
    floor: float = 0.0,
) -> list[Judgement]:
    """Judge what is watched, what is counted, and what `tolerances` names. Metrics that no run observed are left out.

    Args: `before`, `after`: the metrics of each run, by name; `tolerances`: shares of before; `floor`: a share by which every
    measured interval is widened at both ends, because the runs were not made together.
    """
    names = dict.fromkeys([*tolerances, *COUNTS, *WATCHED])
    found = [one for name in names if (one := samples(before, after, name, paired)).known[0].size and one.known[1].size]
    chances = [_chance(one) for one in found]
    # What cannot differ under any flip or deal is no test, and needs no correction for.
    tests = max(1, sum(chance < 1 for chance in chances))
    corrected = _corrected(chances)
    return [
        _judge(one, tolerances.get(one.name, 0.0 if one.counted else TOLERANCE), p, tests, floor)
        for one, p in zip(found, corrected, strict=True)
    ]


def _corrected(chances: Sequence[float]) -> Iterator[float]:
    adjusted = iter(holm([chance for chance in chances if chance < 1]))
    yield from (next(adjusted) if chance < 1 else 1.0 for chance in chances)


def _chance(one: Samples) -> float:
    before, after = one.scaled
    if one.paired:
        return flipped(after - before if one.counted else ranked(after - before))
    return relabelled(before, after)


def _interval(one: Samples) -> Interval | None:
    """None where the runs are too few to bound it."""
    before, after = one.scaled
    if min(len(before), len(after)) < 2:
        return None
    # Of a count nothing is cut off: the one run in ten that lost a job is what is looked for.
    more = {"trim": 0.0} if one.counted else {}
    found = interval(after - before, **more) if one.paired else interval_of_two(before, after, **more)
    return found if isfinite(found.width) else None


def _judge(one: Samples, tolerance: float, p: float, tests: int, floor: float) -> Judgement:
    found = _interval(one)
    left, right = one.known
    size = one.size(tolerance)
    if found is not None and not one.counted:
        found = found.widened(one.size(floor))
    word, sentence = _word(one, found, size, p, tests)
    smallest = detectable(found.error, found.count, size, ALPHA / tests) if found is not None and found.error else None
    return Judgement(
        name=one.name,
        unit=one.unit,
        better=one.better,
        relative=one.relative,
        before=typical(left),
        after=typical(right),
        low=one.told(found.low) if found is not None else None,
        effect=one.told(found.value) if found is not None else None,
        high=one.told(found.high) if found is not None else None,
        tolerance=one.told(size),
        detectable=one.told(smallest + one.size(floor)) if smallest is not None else None,
        p=p,
        count=found.count if found is not None else min(len(left), len(right)),
        word=word,
        sentence=sentence,
    )


def _word(one: Samples, found: Interval | None, size: float, p: float, tests: int) -> tuple[JudgedWord, str]:
    noun = "pairs" if one.paired else "runs a side"
    if found is None:
        count, needed = min(len(values) for values in one.known), fewest(tests, one.paired)
        return "not enough evidence", f"{count} {noun}; {tests} metrics need {needed} before any can be called"
    if one.missing:
        noun = f"{noun} that have it ({one.missing} have not)"
    if one.counted and found.error == 0 and found.value == 0:
        return (
            "no difference",
            f"the same in each of {found.count} {noun}; it may still differ in {unseen_share(found.count):.0%}",
        )
    if p <= ALPHA and (found.low > size or found.high < -size):
        return _direction(found.value, one.better), f"chance alone: {p:.1g} over {found.count} {noun}"
    if -size <= found.low and found.high <= size and not one.counted:
        return "no difference", f"none beyond the tolerance, from {found.count} {noun}"
    needed = fewest(tests, one.paired)
    if found.count < needed:
        return "not enough evidence", f"{found.count} {noun}; {tests} metrics need {needed} before any can be called"
    if found.low > 0 or found.high < 0:
        return (
            "not enough evidence",
            f"it differs, and the interval does not say whether by more than the tolerance ({found.count} {noun})",
        )
    return "not enough evidence", f"the interval is too wide ({found.count} {noun})"


def _direction(difference: float, better: Better) -> JudgedWord:
    if better == "neither":
        return "not enough evidence"
    return "worse" if (difference > 0) is (better == "lower") else "better"
