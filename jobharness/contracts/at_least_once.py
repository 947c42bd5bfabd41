"""At-least-once delivery: every acknowledged job is completed at least once.

A job is completed when its task's code returned, or ended for good by its own exception or time limit (then it is
*dead*, counted apart, and the promise of dead letters takes over). It is not completed when only its worker died.
Decided at the end of the drain: what is not completed by then was not delivered within the recovery bound. Where the
broker still holds the job it is *stuck*, else *lost*. A job that waits for others of its chain need not run where they failed:
`no_link_lost` judges it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import polars as pl

from jobharness.contracts.promise import Evidence, Promise, blind_spot, offences
from jobharness.history.columns import NEVER
from jobharness.history.event import Dead, Kind
from jobharness.history.frame import History

__all__ = ["AtLeastOnce", "blind_spot"]


class AtLeastOnce(Promise):
    """Every acknowledged job is completed at least once. Needs: the queue drained, all recorders alive."""

    name = "at_least_once"
    promise = "every acknowledged job is completed at least once"
    needs = frozenset((Kind.ENQUEUE_ACKNOWLEDGED, Kind.JOB_FINISHED))
    nothing = "no job was acknowledged"

    def evidence(self, history: History) -> Evidence:
        """The lost and the stuck jobs, those that were enqueued first before the others."""
        tally, columns = history.tally, history.columns
        acknowledged = tally.has(Kind.ENQUEUE_ACKNOWLEDGED) & ~_waiting(history) & ~_too_late(history)
        uncompleted = tally.completed_ns == NEVER
        missing = np.flatnonzero(acknowledged & uncompleted)
        held = tally.count(Kind.JOB_HELD)[missing] > 0
        dead = acknowledged & ~uncompleted & (tally.count(Kind.JOB_FINISHED) == 0)
        found = offences(
            _why(),
            job=missing,
            weight=-columns["time_ns"][tally.row("first", Kind.ENQUEUE_ACKNOWLEDGED)[missing]],
            held=held,
            worker_lost=tally.deaths(Dead.WORKER_LOST)[missing] > 0,
            given_up=tally.deaths(Dead.RAISED, Dead.TIMED_OUT, Dead.REVOKED, Dead.UNKNOWN_TASK)[missing] > 0,
            running=tally.count(Kind.JOB_RUNNING)[missing] > 0,
            received=tally.count(Kind.JOB_RECEIVED)[missing] > 0,
        )
        stuck, count = int(held.sum()), int(acknowledged.sum())
        counts = {"acknowledged": count, "lost": len(missing) - stuck, "stuck": stuck, "dead": int(dead.sum())}
        return Evidence(count, found, len(missing), counts)

    def broken(self, figures: Mapping[str, int]) -> str:
        """How many were lost, how many are stuck."""
        of_all = f"of {figures['acknowledged']} acknowledged jobs"
        parts = [f"{figures['lost']} {of_all} were lost"] if figures["lost"] else []
        if figures["stuck"]:
            parts.append(f"{figures['stuck']} {of_all} are stuck: the broker holds them, nobody ran them in time")
        return "; ".join(parts)

    def kept(self, figures: Mapping[str, int]) -> str:
        """How many were completed, and how many of them died."""
        dead = f" ({figures['dead']} of them dead by their own exception)" if figures["dead"] else ""
        return f"all {figures['acknowledged']} acknowledged jobs were completed{dead}"


def _waiting(history: History) -> npt.NDArray[np.bool_]:
    """The jobs that wait for others of their chain or chord."""
    columns, waiting = history.columns, np.zeros(history.jobs.height, np.bool_)
    # The latest first: of several writes to one place the last stays.
    linked = columns.rows_of_jobs(Kind.ENQUEUE_LINKED)[::-1]
    waiting[columns["job"][linked]] = columns["value"][linked] > 0
    return waiting


def _too_late(history: History) -> npt.NDArray[np.bool_]:
    """The jobs that a schedule enqueued when the run was already being stopped: nobody was left to run them."""
    stop_ns, columns, late = history.phase_ns("stop"), history.columns, np.zeros(history.jobs.height, np.bool_)
    if stop_ns is not None:
        first = np.searchsorted(columns["time_ns"], stop_ns, side="right")
        rows = columns.rows_of_jobs(Kind.ENQUEUE_ACKNOWLEDGED)
        jobs = columns["job"][rows[np.searchsorted(rows, first) :]]
        late[jobs] = history.tally.row("first", Kind.ENQUEUE_ACKNOWLEDGED)[jobs] >= first
    return late


def _why() -> pl.Expr:
    return (
        pl.when("held")
        .then(pl.lit("stuck: the broker still holds it"))
        .when("worker_lost")
        .then(pl.lit("lost: given up because its worker died"))
        .when("given_up")
        .then(pl.lit("lost: given up by the library, never run to an end"))
        .when("running")
        .then(pl.lit("lost: its execution was cut off and never repeated"))
        .when("received")
        .then(pl.lit("lost: taken by a worker, never run"))
        .otherwise(pl.lit("lost: acknowledged, never seen by a worker"))
    )
