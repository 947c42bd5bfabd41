"""In which order the runs of a comparison are made.

A pair is one run of each side, one right after the other, with the same seed; a coin decides which goes first. So whatever
drifts (another program, a warm cache, the time of day) falls on both sides alike, and what is left is judged by flipping that
coin (`metrics.exact`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from random import Random

__all__ = ["Pair", "pairs"]


@dataclass(frozen=True)
class Pair:
    """`number` from 1; `seed` of both runs; `before_first`: which goes first."""

    number: int
    seed: int
    before_first: bool


def pairs(seed: int) -> Iterator[Pair]:
    """Pairs without end; the same seed gives the same ones."""
    coin = Random(f"{seed}:order of the sides")
    for number in count(1):
        yield Pair(number, seed + number - 1, coin.random() < 0.5)
