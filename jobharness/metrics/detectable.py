"""The smallest difference that a comparison could have seen: what "no difference" is worth."""

from __future__ import annotations

import numpy as np

from jobharness.metrics.intervals import LEVEL

__all__ = ["POWER", "detectable", "unseen_share"]

POWER = 0.8
"""How often a difference of that size would have been called."""


def detectable(error: float, count: int, tolerance: float, alpha: float) -> float:
    """The true difference that would be called with a chance of `POWER`, on the scale of `error` and `tolerance`.

    To be called, it must be so far past the tolerance that the interval is too, and so far from zero that a test at `alpha`
    sees it. Args: `error`: standard error of the effect; `count`: pairs, or runs of the smaller side, at least 2; `alpha`:
    after correction.
    """
    # Quantiles of Student's t; scipy.stats has them too, and takes ten times as long to import.
    from scipy.special import stdtrit

    freedom = count - 1
    reach = stdtrit(freedom, POWER)
    by_interval = tolerance + (stdtrit(freedom, (1 + LEVEL) / 2) + reach) * error
    by_test = (stdtrit(freedom, 1 - alpha / 2) + reach) * error
    return float(max(by_interval, by_test))


def unseen_share(runs: int) -> float:
    """What no run of `runs` showed may still happen in up to this share of runs (Clopper and Pearson, at `LEVEL`, one-sided)."""
    return float(-np.expm1(np.log(1 - LEVEL) / runs)) if runs else 1.0
