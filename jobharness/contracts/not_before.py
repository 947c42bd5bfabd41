"""Not before its time: a job sent with a countdown or eta, or retried with a delay, does not begin sooner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from jobharness.clock import NS_PER_S
from jobharness.contracts.evidence import ms
from jobharness.contracts.promise import Evidence, Promise, offences
from jobharness.history.columns import Int64s
from jobharness.history.event import Kind
from jobharness.history.frame import History

__all__ = ["NotBefore"]


@dataclass(frozen=True)
class NotBefore(Promise):
    """No execution begins before its job's time, nor before the delay of its retry is over. Needs: recorders alive.

    `tolerance_s`: what may be lost in turning a time of day into a countdown and back.
    """

    tolerance_s: float = 0.0
    name = "not_before"
    needs = frozenset((Kind.ENQUEUE_NOT_BEFORE, Kind.JOB_RUNNING))
    nothing = "no job was delayed"

    @property
    def promise(self) -> str:
        """The promise, with its tolerance."""
        return "no job begins before its time" + (f" (by more than {self.tolerance_s:g} s)" if self.tolerance_s else "")

    def evidence(self, history: History) -> Evidence:
        """The jobs that began too early, by how much."""
        columns, tally = history.columns, history.tally
        tolerance_ns = round(self.tolerance_s * NS_PER_S)
        delayed = np.flatnonzero(tally.has(Kind.ENQUEUE_NOT_BEFORE))
        due_ns, begun_ns = tally.first_value(Kind.ENQUEUE_NOT_BEFORE, delayed), tally.first_ns(Kind.JOB_RUNNING, delayed)
        early = begun_ns < due_ns - tolerance_ns
        by_ns = due_ns[early] - begun_ns[early]
        sent = offences(pl.format("began {} ms before its time", "by"), job=delayed[early], weight=by_ns, by=ms(by_ns))
        pairs = self._retries(history)
        until_ns = columns["time_ns"][pairs[0]] + columns["value"][pairs[0]]
        ahead_ns = until_ns - columns["time_ns"][pairs[1]]
        soon = ahead_ns > tolerance_ns
        rows = pairs[1][soon]
        retried = offences(
            pl.format("its retry began {} ms before its delay was over", "by"),
            job=columns["job"][rows],
            row=rows,
            weight=ahead_ns[soon],
            by=ms(ahead_ns[soon]),
        )
        judged = len(delayed) + len(until_ns)
        counts = {"delayed": judged, "early": len(by_ns) + len(rows)}
        return Evidence(judged, pl.concat([sent, retried]), 0, counts)

    def _retries(self, history: History) -> tuple[Int64s, Int64s]:
        """Rows of the retries that asked for a delay, and of the executions that begin next."""
        columns = history.columns
        retried = history.tally.has(Kind.JOB_RETRIED)
        marks = columns.rows_of_any(Kind.JOB_RETRIED, Kind.JOB_RUNNING, jobs=retried)
        marks = marks[np.lexsort((marks, columns["job"][marks]))]
        here, after = marks[:-1], marks[1:]
        kinds = columns["kind"]
        pair = (
            (columns["job"][here] == columns["job"][after])
            & (kinds[here] == int(Kind.JOB_RETRIED))
            & (columns["value"][here] > 0)
        )
        pair &= kinds[after] == int(Kind.JOB_RUNNING)
        return here[pair], after[pair]

    def broken(self, figures: Mapping[str, int]) -> str:
        """How many were early."""
        return f"{figures['early']} of {figures['delayed']} delayed jobs and retries began before their time"

    def kept(self, figures: Mapping[str, int]) -> str:
        """How many were judged."""
        return f"none of {figures['delayed']} delayed jobs and retries began before its time"
