"""How large is the difference, and how sure is that: a bootstrap over runs.

The data are a hierarchy: jobs in runs, runs in pairs. What is drawn again is its top, whole pairs, or whole runs where there
are no pairs; a run stands for all its jobs by its own figure. That holds the spread between runs and the spread within them.
Jobs are never drawn by themselves: they wait in one queue and share one machine, so a thousand of them say little more than
ten.

Each draw is studentised, and the interval reaches as far to either side, since from a dozen runs the plain percentiles of a
bootstrap come out too narrow (Davison and Hinkley, "Bootstrap Methods and their Application", 1997, 2.4, 3.8 and 5.2.1). The
figure is the mean of the middle of the pairs, a fifth cut off at either end (Yuen), because on shared machines now and then a
run is disturbed beyond measure.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from jobharness.metrics.exact import Floats

__all__ = ["LEVEL", "Interval", "interval", "interval_of_two", "typical"]

LEVEL = 0.95
DRAWS = 2000
TRIM = 0.2
FEWEST_TO_TRIM = 10


@dataclass(frozen=True)
class Interval:
    """`value` with its interval at `LEVEL`, and its standard error. `count`: pairs, or runs of the smaller side."""

    low: float
    value: float
    high: float
    error: float
    count: int

    @property
    def width(self) -> float:
        """From end to end."""
        return self.high - self.low

    def widened(self, by: float) -> Interval:
        """The same with both ends further out."""
        return Interval(self.low - by, self.value, self.high + by, self.error, self.count)


def interval(values: Floats, trim: float = TRIM) -> Interval:
    """The interval of the trimmed mean of (n,) values, n at least 2. All equal: no width, which says that none was seen and
    not that there is none."""
    centre, error = (float(one[0]) for one in _trimmed(values[None, :], trim))
    if error == 0:
        return Interval(centre, centre, centre, 0.0, len(values))
    drawn, errors = _trimmed(values[_draws(len(values), 1)], trim)
    reach = _reach(centre, drawn, errors) * error
    return Interval(centre - reach, centre, centre + reach, error, len(values))


def interval_of_two(before: Floats, after: Floats, trim: float = TRIM) -> Interval:
    """The interval of the difference of the trimmed means, after less before, of runs that are not paired; at least 2 a side."""
    centres = [[float(one[0]) for one in _trimmed(values[None, :], trim)] for values in (before, after)]
    (left, left_error), (right, right_error) = centres
    centre, error, count = right - left, float(np.hypot(left_error, right_error)), min(len(before), len(after))
    if error == 0:
        return Interval(centre, centre, centre, 0.0, count)
    drawn_left, errors_left = _trimmed(before[_draws(len(before), 1)], trim)
    drawn_right, errors_right = _trimmed(after[_draws(len(after), 2)], trim)
    reach = _reach(centre, drawn_right - drawn_left, np.hypot(errors_left, errors_right)) * error
    return Interval(centre - reach, centre, centre + reach, error, count)


def typical(values: Floats) -> float:
    """The trimmed mean alone."""
    return float(_trimmed(values[None, :], TRIM)[0][0])


def _reach(centre: float, drawn: Floats, errors: Floats) -> float:
    """How many of its own errors a draw is off the centre, at most, at `LEVEL`. One without spread is off as far as can be."""
    off = np.abs(drawn - centre)
    steps = np.divide(off, errors, out=np.where(off > 0, np.inf, 0.0), where=errors > 0)
    return float(np.quantile(steps, LEVEL, method="nearest"))


def _trimmed(values: Floats, trim: float) -> tuple[Floats, Floats]:
    """(n_draws,) trimmed means and their standard errors, of (n_draws, n) values."""
    count = values.shape[1]
    cut = int(trim * count) if count >= FEWEST_TO_TRIM else 0
    ordered = np.sort(values, axis=1)
    middle = ordered[:, cut : count - cut]
    # Winsorised: what is cut off counts as if it were the last that is kept.
    ordered[:, :cut], ordered[:, count - cut :] = middle[:, :1], middle[:, -1:]
    spread = ordered.std(axis=1, ddof=1) if count > 1 else np.full(len(ordered), np.nan)
    return middle.mean(axis=1), spread / ((1 - 2 * cut / count) * np.sqrt(count))


@lru_cache(maxsize=16)
def _draws(count: int, stream: int) -> np.ndarray:
    """(n_draws, count) places, drawn with replacement. The seed is fixed: the same runs give the same interval."""
    return np.random.default_rng((count, stream)).integers(0, count, (DRAWS, count))
