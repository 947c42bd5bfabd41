"""The app's own data are right: what an invariant asks of them found nothing when the queue had drained.

Beside effects and deliveries: a job may run twice and leave the world as it should be, or once and leave it wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from jobharness.contracts.contract import Finding, Word
from jobharness.contracts.promise import could_not_see, offences
from jobharness.history.columns import Rows
from jobharness.history.event import Kind
from jobharness.history.frame import History

__all__ = ["InvariantHolds"]


@dataclass(frozen=True)
class InvariantHolds:
    """The invariant of the app's data called `invariant` finds nothing wrong. Needs: its data could be read at the end."""

    invariant: str
    needs = frozenset((Kind.INVARIANT_CHECKED,))

    @property
    def name(self) -> str:
        """Each invariant is a contract of its own."""
        return f"invariant {self.invariant}"

    @property
    def promise(self) -> str:
        """What was asked, by its name."""
        return f"the app's data keep the invariant: {self.invariant}"

    def check(self, history: History) -> Finding:
        """Judge a history by what its last look found: before, jobs were under way."""
        rows, number = history.columns.rows(Kind.INVARIANT_CHECKED), history.number_of(self.invariant)
        rows = rows[history.columns["task"][rows] == number] if number is not None else rows[:0]
        if not len(rows):
            return Finding(self.name, Word.UNKNOWN, could_not_see(history) or "it was not looked at")
        last = rows[-1:]
        found = int(history.columns["value"][last[0]])
        words = history.text(int(history.columns["text"][last[0]]))
        counts = {"wrong": max(0, found)}
        if found < 0:
            return Finding(self.name, Word.UNKNOWN, f"it could not be checked: {words}", counts)
        if found:
            return Finding(self.name, Word.BROKEN, f"{found} found: {words}", counts, _offenders(last, words))
        if reason := could_not_see(history):
            return Finding(self.name, Word.UNKNOWN, reason, counts)
        return Finding(self.name, Word.HOLDS, "nothing wrong was found", counts)


def _offenders(rows: Rows, words: str) -> pl.DataFrame:
    return offences(words, job=None, row=rows, weight=np.zeros(len(rows))).select("job", "row", "why")
