"""The histories that the oracles are tried on have in them what makes a run hard to judge."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest
from hypothesis import Phase, find, settings

from jobharness.history.event import Kind
from jobharness.history.frame import History
from tests.oracles.generated import histories
from tests.support.examples import QUICK


def _has(history: History, kind: Kind) -> bool:
    return bool(len(history.columns.rows_of_jobs(kind)))


def _doubled(history: History) -> bool:
    return history.events.height > history.events.unique().height


HARD: dict[str, Callable[[History], bool]] = {
    "an execution that was cut off": lambda run: bool((run.executions.end_kind == 0).any()),
    "a job in flight where a fault struck": lambda run: _has(run, Kind.FAULT_HIT),
    "an execution that outlived the strike that hit it": lambda run: bool(
        ((run.executions.end_kind == 0) & (run.executions.alive_ns > run.executions.begin_ns)).any()
    ),
    "an enqueue of which nobody knows": lambda run: _has(run, Kind.ENQUEUE_UNKNOWN),
    "a refused enqueue": lambda run: _has(run, Kind.ENQUEUE_REFUSED),
    "two events of one moment in two processes": lambda run: (
        (run.events.group_by("time_ns").agg(pl.col("process").n_unique())["process"].max() or 0) > 1
    ),
    "a record written twice": _doubled,
    "a completion without its begin": lambda run: bool(
        (run.tally.has(Kind.JOB_FINISHED) & ~run.tally.has(Kind.JOB_RUNNING)).any()
    ),
    "an execution that nobody enqueued": lambda run: bool(
        (run.tally.has(Kind.JOB_RUNNING) & ~run.tally.has(Kind.ENQUEUE_BEGIN)).any()
    ),
    "two executions of a job at once": lambda run: bool((run.tally.count(Kind.JOB_RUNNING) > 1).any()),
    "a torn record": lambda run: run.header["torn"] > 0,
    "a recorder that failed": lambda run: bool(run.processes["failed"].any()),
    "a run cut short": lambda run: bool(len(run.columns.rows(Kind.RUN_CUT_SHORT))),
    "nothing at all": lambda run: not len(run),
}


@pytest.mark.skipif(QUICK, reason="what is rare takes many examples: `make test` looks for it")
@pytest.mark.parametrize("what", HARD)
def test_generated_histories_have(what):
    find(histories(), HARD[what], settings=settings(max_examples=2000, phases=[Phase.generate], database=None, deadline=None))
