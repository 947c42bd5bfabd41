"""Which trials are under way, and which come next: many at once, since a trial mostly waits. One that is at rest, and only waits
for recovery, leaves its lane to the next one."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

from jobharness.explore.outcome import Outcome, Word
from jobharness.explore.points import CONTROL, Point
from jobharness.explore.trial import Patience
from jobharness.scenario.model import CrashmapSpec

__all__ = ["CORES", "Attempt", "End", "Lanes", "Try"]

CORES = os.cpu_count() or 1
LANES_PER_CORE = 10
AT_REST_PER_CORE = 20  # Beside those: trials that only wait, each with its worker in memory.
MOST_TRIES = 5
MOST_UNTOLD = 3  # Tries that could not tell, all for the same reason: a fourth would not either.


@dataclass(frozen=True)
class End:
    """How a trial ended. `number`: the trial's; `point`: what was struck; `at_s`: since the map was begun."""

    number: int
    point: Point
    patience: Patience
    outcome: Outcome
    took_s: float
    at_s: float


@dataclass(eq=False)
class Try:
    """A point that is tried, or is to be. `urgent`: all its trials begin before the first ones of others."""

    point: Point
    second: Point | None = None
    urgent: bool = False
    ends: list[End] = field(default_factory=list)
    asked: int = 0

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """Of its trials that are over, in their order."""
        return tuple(end.outcome for end in self.ends)

    @property
    def trials(self) -> tuple[int, ...]:
        """Their numbers."""
        return tuple(end.number for end in self.ends)

    @property
    def turn(self) -> tuple[float, ...]:
        """When it is its turn, the lowest first. First tries come in their order, those of urgent points both at once; of the
        later ones those that take long, for all that is known, so that at the end the processors need not wait for a few."""
        if self.point.kind == CONTROL and not self.asked:
            return (0,)
        if self.urgent:
            return (1,)
        return (3, -max((end.took_s for end in self.ends), default=math.inf), self.point.step) if self.asked else (2,)

    def further(self, waiting: int) -> int:
        """How many more trials it takes, at once, beside those that wait for their turn: where they differ all that there may be,
        since it must be said in how many of them; where one could not tell, another."""
        untold = [outcome.where for outcome in self.outcomes if outcome.word is Word.UNKNOWN]
        under_way = self.asked - len(self.ends) + waiting
        if under_way or (len(untold) == len(self.ends) >= MOST_UNTOLD and len(set(untold)) == 1):
            return 0
        told = {(outcome.word, *outcome.wrong) for outcome in self.outcomes if outcome.word is not Word.UNKNOWN}
        left = MOST_TRIES - self.asked
        return left if len(told) > 1 else min(left, 1) if self.outcomes[-1].word is Word.UNKNOWN else 0


Attempt = Callable[[int, Try, Callable[[], None]], End]
"""Makes a trial, by its number: it blocks, and calls its last argument, once or more, when it is at rest."""


class Lanes:
    """The lanes of one map. Use it as a context: leaving it waits for the trials that are under way. Not for two threads. `wide`:
    how many lanes there are; `begun`: how many trials so far, which is the number of the last one.

    Args: `is_over`: whether there is no time left to begin a trial; `tell`: what is told how far it is.
    """

    def __init__(self, spec: CrashmapSpec, is_over: Callable[[Try], bool], tell: Callable[[str], None]) -> None:
        self._tries, self._is_over, self._tell = spec.tries, is_over, tell
        self.wide = spec.lanes or LANES_PER_CORE * CORES
        self._most = spec.lanes or (LANES_PER_CORE + AT_REST_PER_CORE) * CORES
        self._pool = ThreadPoolExecutor(self._most)
        self._running: dict[Future[End], Try] = {}
        self._in_lanes: set[Future[None]] = set()
        self.begun = 0

    def __enter__(self) -> Lanes:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def begin(self, one: Try, attempt: Attempt) -> Future[None]:
        """Begin a trial of it. Returns at once what is done when the trial is at rest or over."""
        one.asked += 1
        self.begun += 1
        lane: Future[None] = Future()
        self._in_lanes.add(lane)
        self._running[self._pool.submit(_go, attempt, self.begun, one, lane)] = one
        return lane

    def run(self, tries: Sequence[Try], attempt: Attempt, counts: Callable[[Try, End], bool]) -> list[Try]:
        """Try each, in their order, as often as the scenario says, with the trials that have begun before. `counts`: whether a
        trial was one of what is tried. Blocks until all are over. Returns those for which no time was left."""
        waiting = [one for count in range(self._tries) for one in tries if count >= one.asked]
        done = 0
        while waiting or self._running:
            while waiting and len(self._in_lanes) < self.wide and len(self._running) < self._most:
                one = min(waiting, key=lambda one: one.turn)
                if self._is_over(one):
                    break
                waiting.remove(one)
                self.begin(one, attempt)
            if not self._running:
                break
            either: set[Future[Any]] = {*self._running, *self._in_lanes}
            wait(either, return_when=FIRST_COMPLETED)
            self._in_lanes = {lane for lane in self._in_lanes if not lane.done()}
            for future in [future for future in self._running if future.done()]:
                one, end = self._running.pop(future), future.result()
                done += 1
                if one not in tries:
                    continue
                if counts(one, end):
                    one.ends.append(end)
                    waiting += [one] * one.further(waiting.count(one))
                else:
                    one.asked -= 1
                    waiting.append(one)
            self._tell(f"{done} trials, {len(self._running) + len(waiting)} to go")
        return [one for one in tries if not one.ends]


def _go(attempt: Attempt, number: int, one: Try, lane: Future[None]) -> End:
    def leave() -> None:
        if not lane.done():
            lane.set_result(None)

    try:
        return attempt(number, one, leave)
    finally:
        leave()
