"""One row per job: what its events add up to. The table that most contracts and metrics start from."""

from __future__ import annotations

import polars as pl

from jobharness.history.event import Dead, Kind

__all__ = ["lives_of"]


def _is(kind: Kind) -> pl.Expr:
    return pl.col("kind") == int(kind)


def _count(kind: Kind) -> pl.Expr:
    return _is(kind).sum().cast(pl.UInt32)


def _first_ns(kind: Kind) -> pl.Expr:
    return pl.col("time_ns").filter(_is(kind)).min()


def lives_of(events: pl.DataFrame) -> pl.DataFrame:
    """One row per job, ascending in `job`.

    Columns: `job` (u32); counts (u32) `begun, acknowledged, refused, received, running, finished, failed, retried, dead,
    worker_lost, timed_out, rejected, settled, held`; times (i64, ns, null where it never happened) `intended_ns, begun_ns,
    acknowledged_ns, running_ns, finished_ns, dead_ns` (each the first) and `last_ns`; `task` (u32, row of texts).
    """
    about_jobs = events.lazy().filter(pl.col("job").is_not_null())
    lost = _is(Kind.JOB_DEAD) & (pl.col("value") == int(Dead.WORKER_LOST))
    return (
        about_jobs.group_by("job")
        .agg(
            _count(Kind.ENQUEUE_BEGIN).alias("begun"),
            _count(Kind.ENQUEUE_ACKNOWLEDGED).alias("acknowledged"),
            _count(Kind.ENQUEUE_REFUSED).alias("refused"),
            _count(Kind.JOB_RECEIVED).alias("received"),
            _count(Kind.JOB_RUNNING).alias("running"),
            _count(Kind.JOB_FINISHED).alias("finished"),
            _count(Kind.JOB_FAILED).alias("failed"),
            _count(Kind.JOB_RETRIED).alias("retried"),
            _count(Kind.JOB_DEAD).alias("dead"),
            lost.sum().cast(pl.UInt32).alias("worker_lost"),
            _count(Kind.JOB_TIMED_OUT).alias("timed_out"),
            _count(Kind.JOB_REJECTED).alias("rejected"),
            _count(Kind.JOB_SETTLED).alias("settled"),
            _count(Kind.JOB_HELD).alias("held"),
            # A job sent through a service is intended by the producer, and begun by the service.
            pl.col("value").filter(_is(Kind.ENQUEUE_BEGIN) | _is(Kind.ENQUEUE_INTENDED)).min().alias("intended_ns"),
            _first_ns(Kind.ENQUEUE_BEGIN).alias("begun_ns"),
            _first_ns(Kind.ENQUEUE_ACKNOWLEDGED).alias("acknowledged_ns"),
            _first_ns(Kind.JOB_RUNNING).alias("running_ns"),
            _first_ns(Kind.JOB_FINISHED).alias("finished_ns"),
            _first_ns(Kind.JOB_DEAD).alias("dead_ns"),
            pl.col("time_ns").max().alias("last_ns"),
            pl.col("task").max().alias("task"),
        )
        .sort("job")
        .collect()
    )
