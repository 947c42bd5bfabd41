"""One row per job: what its events add up to, as one table for people and small questions.

Contracts and metrics take the columns that they need from `History.tally`, which makes each of them once.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from jobharness.history.columns import NEVER, Int64s, Tally
from jobharness.history.event import Dead, Kind

__all__ = ["lives_of"]

COUNTS = {
    "begun": Kind.ENQUEUE_BEGIN,
    "acknowledged": Kind.ENQUEUE_ACKNOWLEDGED,
    "refused": Kind.ENQUEUE_REFUSED,
    "received": Kind.JOB_RECEIVED,
    "running": Kind.JOB_RUNNING,
    "finished": Kind.JOB_FINISHED,
    "failed": Kind.JOB_FAILED,
    "retried": Kind.JOB_RETRIED,
    "dead": Kind.JOB_DEAD,
    "timed_out": Kind.JOB_TIMED_OUT,
    "rejected": Kind.JOB_REJECTED,
    "settled": Kind.JOB_SETTLED,
    "held": Kind.JOB_HELD,
    "buried": Kind.JOB_BURIED,
}
MOMENTS = {
    "begun_ns": Kind.ENQUEUE_BEGIN,
    "acknowledged_ns": Kind.ENQUEUE_ACKNOWLEDGED,
    "running_ns": Kind.JOB_RUNNING,
    "finished_ns": Kind.JOB_FINISHED,
    "dead_ns": Kind.JOB_DEAD,
}


def lives_of(tally: Tally) -> pl.DataFrame:
    """One row per job, ascending in `job`.

    Columns: `job` (u32); a count (u32) for each name of `COUNTS`, and `worker_lost`; the first moment (i64, ns, null
    where it never came) for each name of `MOMENTS`, `intended_ns` and `completed_ns`; `task` and `group` (u32, rows
    of texts).
    """
    counts = {name: tally.count(kind).astype(np.uint32) for name, kind in COUNTS.items()}
    moments = {name: tally.first_ns(kind) for name, kind in MOMENTS.items()}
    moments |= {"intended_ns": tally.intended_ns, "completed_ns": tally.completed_ns}
    return pl.DataFrame(
        {
            "job": np.arange(len(tally.intended_ns), dtype=np.uint32),
            **counts,
            "worker_lost": tally.deaths(Dead.WORKER_LOST).astype(np.uint32),
            **{name: _nullable(values) for name, values in moments.items()},
            "task": tally.label("task"),
            "group": tally.label("group"),
        }
    )


def _nullable(moments_ns: Int64s) -> pl.Series:
    return pl.Series(moments_ns).set(pl.Series(moments_ns == NEVER), None)
