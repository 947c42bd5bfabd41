"""Moments of arrival, from a seeded generator. To add a process: one generator function and its name in `PROCESSES`.

Each is open loop but `closed`, where a job is sent when there is room. Rates that change are Poisson processes:
arrivals at the highest rate, of which so many are left out that the rate of the moment remains (thinning).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from random import Random
from typing import Protocol

from jobharness.clock import NS_PER_S

__all__ = ["DAILY_CURVE", "PROCESSES", "ArrivalProcess", "arrivals_ns"]

DAILY_CURVE = (
    0.3,
    0.2,
    0.15,
    0.15,
    0.2,
    0.3,
    0.5,
    0.9,
    1.4,
    1.7,
    1.8,
    1.7,
    1.5,
    1.6,
    1.7,
    1.7,
    1.6,
    1.5,
    1.4,
    1.3,
    1.2,
    1.0,
    0.7,
    0.5,
)
"""A working day in relative rates, hour by hour, mean 1.04: low by night, a dip at noon."""


class ArrivalProcess(Protocol):
    """When jobs arrive (see `scenario.model.Arrivals`). What a process does not use may be anything."""

    @property
    def process(self) -> str: ...
    @property
    def rate(self) -> float: ...
    @property
    def to(self) -> float: ...
    @property
    def at(self) -> float: ...
    @property
    def quiet(self) -> float: ...
    @property
    def burst(self) -> float: ...
    @property
    def jobs(self) -> int: ...
    @property
    def every(self) -> float: ...
    @property
    def within(self) -> float: ...
    @property
    def day(self) -> float: ...
    @property
    def curve(self) -> Sequence[float]: ...
    @property
    def in_flight(self) -> int: ...


Process = Callable[[ArrivalProcess, float, Random], Iterator[float]]


def constant(spec: ArrivalProcess, duration_s: float, random: Random) -> Iterator[float]:
    """Evenly spaced, the first at once."""
    return (index / spec.rate for index in count())


def poisson(spec: ArrivalProcess, duration_s: float, random: Random) -> Iterator[float]:
    """Independent arrivals: exponential gaps with mean 1/rate."""
    return _poisson(spec.rate, random)


def _poisson(rate: float, random: Random) -> Iterator[float]:
    moment = 0.0
    while True:
        moment += random.expovariate(rate)
        yield moment


def _thinned(highest: float, rate_at: Callable[[float], float], random: Random) -> Iterator[float]:
    return (moment for moment in _poisson(highest, random) if random.random() * highest < rate_at(moment))


def bursty(spec: ArrivalProcess, duration_s: float, random: Random) -> Iterator[float]:
    """Markov-modulated: `rate` for about `quiet` seconds, then `to` for about `burst` seconds, and so on
    (exponential stays)."""
    moment, ends, loud = 0.0, random.expovariate(1 / spec.quiet), False
    while True:
        moment_next = moment + random.expovariate(spec.to if loud else spec.rate)
        if moment_next < ends:
            moment = moment_next
            yield moment
            continue
        # Exponential gaps have no memory: what is left of this one begins anew in the next state.
        moment, loud = ends, not loud
        ends = moment + random.expovariate(1 / (spec.burst if loud else spec.quiet))


def ramp(spec: ArrivalProcess, duration_s: float, random: Random) -> Iterator[float]:
    """From `rate` to `to`, evenly over the whole duration."""
    grown = (spec.to - spec.rate) / duration_s
    return _thinned(max(spec.rate, spec.to), lambda moment: spec.rate + grown * moment, random)


def step(spec: ArrivalProcess, duration_s: float, random: Random) -> Iterator[float]:
    """`rate`, and `to` from the moment `at` on."""
    return _thinned(max(spec.rate, spec.to), lambda moment: spec.to if moment >= spec.at else spec.rate, random)


def spike(spec: ArrivalProcess, duration_s: float, random: Random) -> Iterator[float]:
    """`rate`, and `jobs` more within `within` of the top of each `every`: cron jobs of the whole world."""
    base = _poisson(spec.rate, random)
    waiting = next(base)
    for top in count():
        start = top * spec.every
        more = sorted(start + random.random() * spec.within for _ in range(spec.jobs))
        for moment in more:
            while waiting < moment:
                yield waiting
                waiting = next(base)
            yield moment
        while waiting < start + spec.every:
            yield waiting
            waiting = next(base)


def daily(spec: ArrivalProcess, duration_s: float, random: Random) -> Iterator[float]:
    """A day's curve with mean `rate`, pressed into `day` seconds, again and again; between its points the rate is
    even."""
    curve = spec.curve or DAILY_CURVE
    mean = math.fsum(curve) / len(curve)
    rates = [spec.rate * share / mean for share in curve]
    return _thinned(max(rates), lambda moment: rates[int(moment / spec.day * len(rates)) % len(rates)], random)


def backlog(spec: ArrivalProcess, duration_s: float, random: Random) -> Iterator[float]:
    """`jobs` at once, and none after them: what is measured is the drain."""
    return (0.0 for _ in range(spec.jobs))


def closed(spec: ArrivalProcess, duration_s: float, random: Random) -> Iterator[float]:
    """`jobs` jobs, each sent as soon as fewer than `in_flight` are not done; the moment is the producer's to find."""
    return (0.0 for _ in range(spec.jobs))


PROCESSES: dict[str, Process] = {
    "backlog": backlog,
    "bursty": bursty,
    "closed": closed,
    "constant": constant,
    "daily": daily,
    "poisson": poisson,
    "ramp": ramp,
    "spike": spike,
    "step": step,
}


def arrivals_ns(arrivals: ArrivalProcess, duration_s: float, random: Random) -> Iterator[int]:
    """The moments of arrival within [0, duration_s), ns from the start, ascending. Memory stays flat."""
    for moment_s in PROCESSES[arrivals.process](arrivals, duration_s, random):
        if moment_s >= duration_s:
            return
        yield round(moment_s * NS_PER_S)
