"""Failures are visible: each job that was given up left a line in a log, a count in a metric or an error report."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from jobharness.contracts.promise import Evidence, Promise, offences
from jobharness.history.event import Kind
from jobharness.history.frame import History

__all__ = ["FailuresVisible"]


class FailuresVisible(Promise):
    """No job that was given up, and never completed, went unnoticed. Needs: the logs, metrics or reports were read
    at the end."""

    name = "failures_visible"
    promise = "each dead job left a log line, a metric or an error report"
    needs = frozenset((Kind.JOB_DEAD,))
    nothing = "no job was given up"

    def evidence(self, history: History) -> Evidence:
        """The jobs that died in silence."""
        tally = history.tally
        dead = (tally.count(Kind.JOB_DEAD) > 0) & (tally.count(Kind.JOB_FINISHED) == 0)
        seen = tally.has(Kind.FAILURE_LOGGED, Kind.FAILURE_COUNTED, Kind.FAILURE_REPORTED)
        silent = np.flatnonzero(dead & ~seen)
        found = offences("given up, and nobody was told", job=silent, weight=-tally.first_ns(Kind.JOB_DEAD)[silent])
        return Evidence(int(dead.sum()), found, len(silent), {"dead": int(dead.sum()), "silent": len(silent)})

    def broken(self, figures: Mapping[str, int]) -> str:
        """How many died in silence."""
        return f"{figures['silent']} of {figures['dead']} dead jobs left no trace that a person would see"

    def kept(self, figures: Mapping[str, int]) -> str:
        """How many there were."""
        return f"each of {figures['dead']} dead jobs left a trace"
