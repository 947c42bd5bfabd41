"""What became of each promise over several runs of two versions.

A broken promise needs no statistics: one run that lost an acknowledged job proves that this version can lose one. That the
change is the cause is another question, and how far chance could answer it is said beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from jobharness.metrics.detectable import unseen_share
from jobharness.metrics.exact import relabelled

__all__ = ["Kept", "KeptWord", "kept_promises"]

KeptWord = Literal["newly broken", "broken on both", "mended", "holds", "not known"]


@dataclass(frozen=True)
class Kept:
    """One promise: in how many runs of either side it was broken, of those that could tell. `p`: how often chance alone deals
    the broken runs so unevenly to the sides (Fisher's exact test over runs)."""

    promise: str
    broken_before: int
    runs_before: int
    broken_after: int
    runs_after: int
    p: float

    @property
    def word(self) -> KeptWord:
        """What that comes to; a promise that was broken once is broken."""
        if self.broken_after:
            return "broken on both" if self.broken_before else "newly broken"
        if not self.runs_after or not self.runs_before:
            return "not known"
        return "mended" if self.broken_before else "holds"

    @property
    def sentence(self) -> str:
        """The figures behind the word."""
        seen = (
            f"broken in {self.broken_before} of {self.runs_before} runs before and {self.broken_after} of {self.runs_after} after"
        )
        if self.word == "not known":
            return "no run could tell"
        if self.word == "holds":
            return (
                f"held in all {self.runs_before + self.runs_after} runs; {unseen_share(self.runs_after):.0%} may break it unseen"
            )
        if self.word == "newly broken" and self.p > 0.05:
            return f"{seen}; so few runs do not prove that the change is the cause (chance: {self.p:.2g})"
        return f"{seen} (chance: {self.p:.2g})"


def kept_promises(before: Sequence[Mapping[str, str]], after: Sequence[Mapping[str, str]]) -> list[Kept]:
    """Every promise of either side. Args: for each run, its promises and the word for each: "broken", "holds", …"""
    names = dict.fromkeys(name for run in (*after, *before) for name in run)
    return [
        _kept(name, *([run[name] for run in runs if run.get(name) in ("broken", "holds")] for runs in (before, after)))
        for name in names
    ]


def _kept(name: str, before: Sequence[str], after: Sequence[str]) -> Kept:
    left, right = (np.array([word == "broken" for word in words], np.float64) for words in (before, after))
    return Kept(name, int(left.sum()), len(left), int(right.sum()), len(right), relabelled(left, right))
