"""Moments of arrival, from a seeded generator. To add a process: one generator function and its name in `PROCESSES`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Protocol

from jobharness.clock import NS_PER_S

__all__ = ["PROCESSES", "ArrivalProcess", "arrivals_ns"]


def constant(rate: float, random: Random) -> Iterator[float]:
    """Evenly spaced, the first at once. Seconds, without end."""
    index = 0
    while True:
        yield index / rate
        index += 1


def poisson(rate: float, random: Random) -> Iterator[float]:
    """Independent arrivals: exponential gaps with mean 1/rate. Seconds, ascending, without end."""
    moment = 0.0
    while True:
        moment += random.expovariate(rate)
        yield moment


PROCESSES: dict[str, Callable[[float, Random], Iterator[float]]] = {"constant": constant, "poisson": poisson}


class ArrivalProcess(Protocol):
    """When jobs arrive (see `scenario.model.Arrivals`): a name of `PROCESSES`, and the mean rate per second."""

    @property
    def process(self) -> str: ...
    @property
    def rate(self) -> float: ...


def arrivals_ns(arrivals: ArrivalProcess, duration_s: float, random: Random) -> Iterator[int]:
    """The moments of arrival within [0, duration_s), ns from the start, ascending."""
    for moment_s in PROCESSES[arrivals.process](arrivals.rate, random):
        if moment_s >= duration_s:
            return
        yield round(moment_s * NS_PER_S)
