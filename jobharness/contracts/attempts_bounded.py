"""Attempts bounded: no job is executed more often than the team allows, whatever the reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from jobharness.contracts.promise import Evidence, Promise, offences
from jobharness.history.event import Kind
from jobharness.history.frame import History

__all__ = ["AttemptsBounded"]


@dataclass(frozen=True)
class AttemptsBounded(Promise):
    """No job is executed more than `max_attempts` times (1 or more). Needs: recorders alive."""

    max_attempts: int
    name = "attempts_bounded"
    needs = frozenset((Kind.JOB_RUNNING,))

    @property
    def promise(self) -> str:
        """The promise, with its bound."""
        return f"no job is executed more than {self.max_attempts} times"

    def evidence(self, history: History) -> Evidence:
        """The jobs executed too often, the most often first."""
        running = history.tally.count(Kind.JOB_RUNNING)
        over = np.flatnonzero(running > self.max_attempts)
        ran, most = int((running > 0).sum()), int(running.max(initial=0))
        found = offences(pl.format("executed {} times", "times"), job=over, weight=running[over], times=running[over])
        return Evidence(ran, found, 0, {"ran": ran, "over": len(over)}, {"most": most})

    def broken(self, figures: Mapping[str, int]) -> str:
        """How many, and the worst."""
        worst = f"one of them {figures['most']} times"
        return f"{figures['over']} jobs were executed more than {self.max_attempts} times, {worst}"

    def kept(self, figures: Mapping[str, int]) -> str:
        """The most that were seen."""
        return f"no job was executed more than {figures['most']} times"
