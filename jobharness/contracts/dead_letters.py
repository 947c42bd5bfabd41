"""Dead letters complete: each job that was given up is where failed jobs belong, once, and nothing else is there.

A job was given up when the library said so (its retries were exhausted, its time limit ended it, its worker died too
often) and it was never completed by a later execution.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from jobharness.contracts.evidence import Mask
from jobharness.contracts.promise import Evidence, Promise, offences
from jobharness.history.event import Dead, Kind
from jobharness.history.frame import History

__all__ = ["DeadLetters"]


@dataclass(frozen=True)
class DeadLetters(Promise):
    """Each exhausted job is among the dead letters once, no other is; with `reported`, it was reported once. Needs:
    the queue drained."""

    reported: bool = False
    name = "dead_letters"
    needs = frozenset((Kind.JOB_DEAD, Kind.JOB_FINISHED, Kind.JOB_BURIED))
    nothing = "no job was given up"

    @property
    def promise(self) -> str:
        """The promise."""
        return "each exhausted job is among the dead letters, once" + (", and was reported once" if self.reported else "")

    def evidence(self, history: History) -> Evidence:
        """Jobs missing there first, then those there twice, then those that do not belong there."""
        tally = history.tally
        given_up = tally.deaths(Dead.RAISED, Dead.TIMED_OUT, Dead.WORKER_LOST) > 0
        exhausted = given_up & (tally.count(Kind.JOB_FINISHED) == 0)
        buried, reports = tally.count(Kind.JOB_BURIED), tally.count(Kind.FAILURE_REPORTED)
        missing = exhausted & (buried == 0)
        tables = {
            "missing": (missing, "given up, and not among the dead letters", 4.0),
            "twice": (buried > 1, "more than once among the dead letters", 3.0),
            "alive": ((buried > 0) & ~given_up, "among the dead letters, though it was never given up", 2.0),
            "completed": ((buried > 0) & given_up & ~exhausted, "among the dead letters, though it was completed", 2.0),
        }
        if self.reported:
            tables["unreported"] = (exhausted & (reports == 0), "given up, and never reported", 1.0)
            tables["reported_twice"] = (exhausted & (reports > 1), "reported more than once", 0.0)
        found = [_table(where, why, weight) for where, why, weight in tables.values()]
        counts = {"exhausted": int(exhausted.sum()), **{name: int(where.sum()) for name, (where, _, _) in tables.items()}}
        unseen = counts["missing"] + counts.get("unreported", 0)
        judged = int((exhausted | (buried > 0)).sum())
        return Evidence(judged, pl.concat(found), unseen, counts)

    def broken(self, figures: Mapping[str, int]) -> str:
        """How many of each."""
        words = {
            "missing": "are not among the dead letters",
            "twice": "are there more than once",
            "alive": "are there and were never given up",
            "completed": "are there and were completed",
            "unreported": "were never reported",
            "reported_twice": "were reported more than once",
        }
        said = "; ".join(f"{figures[name]} {what}" for name, what in words.items() if figures.get(name))
        return f"of {figures['exhausted']} exhausted jobs, or beside them: {said}"

    def kept(self, figures: Mapping[str, int]) -> str:
        """How many there were."""
        return f"all {figures['exhausted']} exhausted jobs are among the dead letters, once"


def _table(where: Mask, why: str, weight: float) -> pl.DataFrame:
    jobs = np.flatnonzero(where)
    return offences(why, job=jobs, weight=np.full(len(jobs), weight))
