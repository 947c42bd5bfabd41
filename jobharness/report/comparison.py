"""Finds the runs of a session that are each other's before and after."""

from __future__ import annotations

from collections.abc import Sequence

from jobharness.metrics.before_after import Comparison, compare
from jobharness.report.digest import Digest

__all__ = ["comparisons"]


def comparisons(digests: Sequence[Digest]) -> list[Comparison]:
    """One comparison for each run whose scenario names a counterpart (`before`) that was run in the same session; the last run of
    it counts."""
    by_source = {one.source: one for one in digests if one.source}
    return [
        compare(by_source[one.before].side(), one.side())
        for one in digests
        if one.before in by_source and one.before != one.source
    ]
