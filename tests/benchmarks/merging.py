"""One measurement in a process of its own: `python -m tests.benchmarks.merging WHAT FOLDER JOBS`, an answer in JSON.

make    four histories of so many jobs each, every one with jobs of its own but for a tenth that two nodes speak of, saved
merge   the four, loaded, as one
judge   the merged one, with clocks known to a tenth of a millisecond
"""

from __future__ import annotations

import json
import resource
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from jobharness.contracts.at_least_once import AtLeastOnce
from jobharness.contracts.at_most_once import AtMostOnce
from jobharness.contracts.contract import judge
from jobharness.contracts.deadline import Deadline
from jobharness.contracts.lease import Lease
from jobharness.history.clocks import Node
from jobharness.history.frame import History
from jobharness.history.log import load, save
from jobharness.history.nodes import merge
from tests.benchmarks.big import clean_history

NODES = 4
SHARED = 0.1


def _own(history: History, number: int) -> History:
    """The history with jobs of its own node, but for those that it shares with the next one."""
    count = history.jobs.height
    first = round(number * count * (1 - SHARED)) + 1
    keys = pl.int_range(first, first + count, dtype=pl.UInt64, eager=True)
    return replace(history, jobs=history.jobs.with_columns(key_hi=keys, key_lo=keys))


def make(folder: Path, jobs: int) -> dict[str, Any]:
    for number in range(NODES):
        save(_own(clean_history(jobs, seed=number + 1), number), folder / f"{number}.parquet")
    return {}


def _merged(folder: Path) -> tuple[History, dict[str, float]]:
    told = [
        (Node(f"node-{n}", bound_ns=100_000 if n else 0, offset_ns=n * 10**15), load(folder / f"{n}.parquet"))
        for n in range(NODES)
    ]
    before = _peak_bytes()
    wall, cpu = time.perf_counter(), time.process_time()
    history = merge(told, {"schema": 1})
    took = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
    return history, {**took, "loaded_bytes": before, "peak_bytes": _peak_bytes()}


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def merge_all(folder: Path, jobs: int) -> dict[str, Any]:
    history, took = _merged(folder)
    assert history.events["time_ns"].is_sorted() and history.jobs.height == round(jobs * (NODES - (NODES - 1) * SHARED))
    return {"jobs": history.jobs.height, "events": len(history), **took}


def judge_all(folder: Path, jobs: int) -> dict[str, Any]:
    history, _ = _merged(folder)
    wall = time.perf_counter()
    verdict = judge(history, [AtLeastOnce(), AtMostOnce(), Lease(), Deadline(20.0)])
    words = {finding.contract: str(finding.word) for finding in verdict.findings}
    return {"wall_s": time.perf_counter() - wall, "words": words, "peak_bytes": _peak_bytes()}


if __name__ == "__main__":
    what, folder, jobs = sys.argv[1:]
    print(json.dumps({"make": make, "merge": merge_all, "judge": judge_all}[what](Path(folder), int(jobs))))
