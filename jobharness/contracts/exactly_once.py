"""Exactly-once: at-least-once and at-most-once, both."""

from __future__ import annotations

import polars as pl

from jobharness.contracts.at_least_once import AtLeastOnce
from jobharness.contracts.at_most_once import AtMostOnce
from jobharness.contracts.contract import Finding
from jobharness.history.frame import History

__all__ = ["ExactlyOnce"]


class ExactlyOnce:
    """Every acknowledged job is completed, and no job is run again unless it asked for it."""

    name = "exactly_once"
    promise = "every acknowledged job is completed, and none is run twice"

    def check(self, history: History) -> Finding:
        """The graver of the two findings, with the offenders of both."""
        both = sorted((AtLeastOnce().check(history), AtMostOnce().check(history)), key=lambda finding: finding.word)
        graver = [finding for finding in both if finding.word == both[0].word]
        return Finding(
            self.name,
            both[0].word,
            "; ".join(finding.sentence for finding in graver),
            {name: count for finding in both for name, count in finding.counts.items()},
            pl.concat([finding.offenders for finding in graver]),
        )
