"""How long the page of a million jobs takes, and how large it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from jobharness.contracts.contract import Finding, Verdict, Word
from jobharness.history.event import Kind
from jobharness.history.frame import EVENT_SCHEMA, JOB_SCHEMA, PROCESS_SCHEMA, History
from jobharness.report.account import Account
from jobharness.report.drawing import drawing_of
from jobharness.report.html import page
from tests.report.hand_made import scenario

JOBS = 1_000_000
LENGTH_NS = 1000 * 10**9


def test_the_page_of_a_million_jobs(benchmark: Any, tmp_path: Path, figure: Any) -> None:
    """The table of lives included. Ten thousand of the jobs offend."""
    text = benchmark.pedantic(lambda history: page(account(history, tmp_path)), setup=lambda: ((million_jobs(),), {}), rounds=3)
    size_mb, charts_mb = len(text.encode()) / 1e6, len(drawing_of({}).plotly) / 1e6
    figure("making the page of a million jobs", benchmark.stats.stats.median, 10, "s", "median of 3, from events in memory")
    figure(
        "its size",
        size_mb,
        6,
        "MB",
        f"of which Plotly's script, packed, {charts_mb:.2f} MB; with the 400 gravest of 10,000 offenders",
    )
    assert size_mb < 6  # No matter of how busy a machine is.


def million_jobs() -> History:
    """A run of a thousand seconds; one job in a hundred is lost, all to one or another of twenty strikes."""
    random = np.random.default_rng(1)
    arrived = np.sort(random.integers(10**9, 10**9 + LENGTH_NS, JOBS))
    took = (random.lognormal(-3, 1, JOBS) * 1e9).astype(np.int64)
    job = np.arange(JOBS, dtype=np.uint32)
    lost = random.random(JOBS) < 0.01
    struck = np.linspace(10**9, LENGTH_NS, 20).astype(np.int64)
    hit = job[lost][: lost.sum() // 20 * 20]
    tables = [
        events(Kind.ENQUEUE_BEGIN, arrived, job, value=arrived),
        events(Kind.ENQUEUE_ACKNOWLEDGED, arrived + 500_000, job),
        events(Kind.JOB_RECEIVED, arrived + 1_000_000, job, process=1),
        events(Kind.JOB_RUNNING, arrived + 2_000_000, job, process=1),
        events(Kind.JOB_FINISHED, (arrived + 2_000_000 + took)[~lost], job[~lost], process=1),
        events(Kind.FAULT_BEGIN, struck, None, text=2),
        events(Kind.FAULT_HIT, np.repeat(struck + 1000, len(hit) // 20), hit, text=2, value=77),
    ]
    keys = {"key_hi": job.astype(np.uint64), "key_lo": job.astype(np.uint64), "id": [None] * JOBS}
    processes = [("producer", "producer", 1, "", False), ("worker-1", "worker", 77, "", False)]
    return History(
        events=pl.concat(tables).sort("time_ns", maintain_order=True),
        jobs=pl.DataFrame(keys, schema=JOB_SCHEMA),
        processes=pl.DataFrame(processes, schema=PROCESS_SCHEMA, orient="row"),
        texts=pl.Series(["", "shop.charge", "kill#1"]),
    )


def events(kind: Kind, times: Any, jobs: Any, *, text: int = 0, value: Any = 0, process: int = 0) -> pl.DataFrame:
    """Events of one kind."""
    given = {"job": jobs, "kind": int(kind), "process": process, "task": 1, "text": text, "value": value}
    columns = {name: given.get(name, 0) for name in EVENT_SCHEMA} | {"time_ns": times}
    return pl.DataFrame({"time_ns": times}).select(
        (pl.Series(name, column) if isinstance(column, np.ndarray) else pl.lit(column)).cast(EVENT_SCHEMA[name]).alias(name)
        for name, column in columns.items()
    )


def account(history: History, folder: Path) -> Account:
    """The account of such a run."""
    lost = history.lives.filter(pl.col("finished") == 0).select("job", row=pl.lit(None, pl.UInt32), why=pl.lit("lost"))
    finding = Finding("at_least_once", Word.BROKEN, f"{lost.height} jobs were lost", {"lost": lost.height}, lost)
    about = {
        "run": "million",
        "finished_at": "2026-11-22T11:02:00+00:00",
        "seed": 1,
        "scenario": scenario().model_dump(exclude_unset=True, by_alias=True),
        "versions": {"jobharness": "0.1.0", "python": "3.11"},
    }
    return Account(folder, about, history, Verdict((finding,)), {}, [], "jobharness run")
