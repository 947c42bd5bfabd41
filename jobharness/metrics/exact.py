"""Exact tests over runs: how often chance alone would show a difference at least this large.

What chance is follows from how the runs were made, and needs no assumption about their spread. Within a pair a coin decided
which side ran first, so without a difference each pair could as well have come out the other way round: every flip of signs
is equally likely. Runs that are not paired could as well have been dealt to the other side. A run is one observation, however
many jobs are in it: jobs of a run wait for each other, and are not independent.

Measured values are compared by their ranks, so that one disturbed run cannot hide what all the others show; counts as they are.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

__all__ = ["Floats", "fewest_pairs", "fewest_runs", "flipped", "ranked", "relabelled"]

Floats = NDArray[np.float64]

MOST_LISTED = 2**14
"""Up to so many ways to flip or deal are listed; of more, so many are drawn, with a fixed seed."""
DRAWN = 20_000
ROUNDING = 1e-9


def flipped(differences: Floats) -> float:
    """The two-sided p of (n_pairs,) differences under flips of their signs. 1 where all are zero, or there are none."""
    known = differences[differences != 0]
    if not len(known):
        return 1.0
    sums = np.abs(_signs(len(known)) @ known)
    return _share(sums, abs(float(known.sum())), 2 ** len(known) <= MOST_LISTED)


def relabelled(before: Floats, after: Floats) -> float:
    """The two-sided p of the difference of means of (n,) and (m,) values under every way to deal them to two sides."""
    values = np.concatenate([before, after])
    if len(before) == 0 or len(after) == 0 or np.all(values == values[0]):
        return 1.0
    # Against what chance deals on average, which is zero.
    centred = values - values.mean()
    dealt = np.abs(_deals(len(values), len(after)) @ centred)
    return _share(dealt, abs(float(centred[len(before) :].sum())), comb(len(values), len(after)) <= MOST_LISTED)


def ranked(differences: Floats) -> Floats:
    """The differences with their sizes replaced by ranks; equal ones share theirs, and zero stays zero."""
    _, places, counts = np.unique(np.abs(differences), return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    return np.asarray(np.sign(differences) * ranks[places], np.float64)


def fewest_pairs(tests: int, alpha: float) -> int:
    """The fewest pairs with which the smallest p there is, corrected for `tests` tests, is at most `alpha`."""
    return next(pairs for pairs in range(1, 64) if 2.0 ** (1 - pairs) * tests <= alpha)


def fewest_runs(tests: int, alpha: float) -> int:
    """The same for runs that are not paired, a side."""
    return next(runs for runs in range(1, 64) if 2 / comb(2 * runs, runs) * tests <= alpha)


def _share(chance: Floats, seen: float, whole: bool) -> float:
    """The share of `chance` that is at least `seen`. Where only some were drawn, what was seen counts as one of them."""
    as_large = int((chance >= seen - ROUNDING * max(1.0, seen)).sum())
    return as_large / len(chance) if whole else (as_large + 1) / (len(chance) + 1)


@lru_cache(maxsize=8)
def _signs(count: int) -> Floats:
    """Every way to give `count` values a sign, or many of them: (n_ways, count), -1 or 1."""
    if 2**count <= MOST_LISTED:
        bits = (np.arange(2**count)[:, None] >> np.arange(count)) & 1
    else:
        bits = np.random.default_rng(count).integers(0, 2, (DRAWN, count))
    return (bits * 2 - 1).astype(np.float64)


@lru_cache(maxsize=8)
def _deals(count: int, chosen: int) -> Floats:
    """Every way to choose `chosen` of `count`, or many of them: (n_ways, count), 0 or 1."""
    if comb(count, chosen) <= MOST_LISTED:
        deals = np.zeros((comb(count, chosen), count))
        for row, places in enumerate(combinations(range(count), chosen)):
            deals[row, places] = 1
        return deals
    order = np.argsort(np.random.default_rng(count * 64 + chosen).random((DRAWN, count)), axis=1)
    return (order < chosen).astype(np.float64)
