"""Exactly-once: at-least-once and at-most-once, both."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from jobharness.contracts.at_least_once import AtLeastOnce
from jobharness.contracts.at_most_once import AtMostOnce
from jobharness.contracts.contract import Finding
from jobharness.contracts.promise import Evidence, Promise
from jobharness.history.frame import History

__all__ = ["ExactlyOnce"]

SIDES: tuple[Promise, ...] = (AtLeastOnce(), AtMostOnce())


class ExactlyOnce(Promise):
    """Every acknowledged job is completed, and no job is run again unless it asked for it."""

    name = "exactly_once"
    promise = "every acknowledged job is completed, and none is run twice"
    needs = frozenset(kind for side in SIDES for kind in side.needs)

    def evidence(self, history: History) -> Evidence:
        """The evidence of both, side by side."""
        return Evidence(0, sides=tuple(side.evidence(history) for side in SIDES))

    def conclude(self, evidence: Evidence, history: History) -> Finding:
        """The graver of the two findings, with the offenders of both where they are equally grave."""
        both = [side.conclude(part, history) for side, part in zip(SIDES, evidence.sides, strict=True)]
        word = min(finding.word for finding in both)
        graver = [finding for finding in both if finding.word == word]
        return Finding(
            self.name,
            word,
            "; ".join(finding.sentence for finding in graver),
            {name: count for finding in both for name, count in finding.counts.items()},
            pl.concat([finding.offenders for finding in graver]),
        )

    def broken(self, figures: Mapping[str, int]) -> str:
        """Said by the sides."""
        return ""

    def kept(self, figures: Mapping[str, int]) -> str:
        """Said by the sides."""
        return ""
