"""Exactly-once effect: what a job does to the world outside happens once, however often the job was delivered.

Apart from deliveries and completions: a job may run three times and take effect once (it is idempotent), or run once
and take effect twice. An effect is an `effect.applied`: what it was done to (a route, a table), and what makes it
one and the same (an idempotency key); where nothing names it, it is the job's one effect there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from jobharness.contracts.evidence import Mask, is_first, place_in_run
from jobharness.contracts.promise import Evidence, Promise, offences
from jobharness.history.event import Kind
from jobharness.history.frame import History

__all__ = ["ExactlyOnceEffect"]


@dataclass(frozen=True)
class ExactlyOnceEffect(Promise):
    """No effect of a job is applied twice, and each acknowledged job of `tasks` has one. Needs: the ledger of
    effects, the queue drained.

    Jobs that died by their own exception need not have had theirs.
    """

    tasks: tuple[str, ...] = ()
    name = "exactly_once_effect"
    needs = frozenset((Kind.EFFECT_APPLIED, Kind.ENQUEUE_ACKNOWLEDGED, Kind.JOB_FINISHED))
    nothing = "no effect was recorded, and no job of the tasks named was acknowledged"

    @property
    def promise(self) -> str:
        """The promise, with its tasks."""
        once = "each effect of a job is applied once"
        return f"{once}, and each acknowledged job of {', '.join(self.tasks)} has one" if self.tasks else once

    def evidence(self, history: History) -> Evidence:
        """Effects applied again first, the most often first; then jobs without theirs."""
        again, expected = self._again(history), self._expected(history)
        missing = np.flatnonzero(expected & ~history.tally.has(Kind.EFFECT_APPLIED))
        effects = len(history.columns.rows_of_jobs(Kind.EFFECT_APPLIED))
        counts = {"effects": effects, "repeated": again.height, "missing": len(missing)}
        found = offences("it took no effect", job=missing, weight=np.zeros(len(missing)))
        return Evidence(effects + int(expected.sum()), pl.concat([again, found]), len(missing), counts)

    def _again(self, history: History) -> pl.DataFrame:
        columns = history.columns
        rows = columns.rows_of_any(Kind.EFFECT_APPLIED, jobs=history.tally.count(Kind.EFFECT_APPLIED) > 1)
        order = np.lexsort((rows, columns["text"][rows], columns["task"][rows], columns["job"][rows]))
        rows = rows[order]
        place = place_in_run(np.logical_or.reduce([is_first(columns[name][rows]) for name in ("job", "task", "text")]))
        over = place > 0
        return offences(
            pl.format("applied again, {} times by then", "nth"),
            job=columns["job"][rows[over]],
            row=rows[over],
            weight=place[over],
            nth=place[over] + 1,
        )

    def _expected(self, history: History) -> Mask:
        tally = history.tally
        died = tally.has(Kind.JOB_DEAD) & ~tally.has(Kind.JOB_FINISHED)
        return np.asarray(history.jobs_of(self.tasks) & tally.has(Kind.ENQUEUE_ACKNOWLEDGED) & ~died)

    def broken(self, figures: Mapping[str, int]) -> str:
        """How many were applied again, how many never."""
        parts = [f"{figures['repeated']} effects were applied again"] if figures["repeated"] else []
        if figures["missing"]:
            parts.append(f"{figures['missing']} jobs took no effect")
        return "; ".join(parts)

    def kept(self, figures: Mapping[str, int]) -> str:
        """How many effects there were."""
        return f"each of {figures['effects']} effects was applied once"
