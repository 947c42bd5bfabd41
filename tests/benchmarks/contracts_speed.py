"""One measurement in a process of its own: `python -m tests.benchmarks.contracts_speed WHAT ARGUMENTS`, an answer in JSON.

make PATH JOBS          a clean history, saved
whole PATH              every contract and every metric over the loaded history
parts PATH LIMIT_BYTES  every contract, part by part, with no more memory than that
loops JOBS              ten contracts by plain loops and dicts, and the same ten by the package
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from jobharness.contracts.contract import judge
from jobharness.contracts.parts import judge_parts
from jobharness.history.log import load, save
from jobharness.history.parts import PartedHistory
from jobharness.history.shelf import FolderShelf
from jobharness.metrics.breakdown import break_down
from jobharness.metrics.measure import measure
from tests.benchmarks.big import CLEAN, clean_history
from tests.benchmarks.loops import LOOPS


def _timed(work: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """The result, wall seconds and processor seconds (of all threads)."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def make(path: str, jobs: str) -> dict[str, Any]:
    history = clean_history(int(jobs))
    save(history, Path(path))
    return {"jobs": int(jobs), "events": len(history), "in_memory_bytes": history.events.estimated_size()}


def whole(path: str) -> dict[str, Any]:
    history, loading = _timed(lambda: load(Path(path)))
    verdict, contracts = _timed(lambda: judge(history, CLEAN.values()))
    _, metrics = _timed(lambda: (measure(history), break_down(history)))
    return {
        "jobs": history.jobs.height,
        "events": len(history),
        "verdict": str(verdict.word),
        "loading": loading,
        "contracts": contracts,
        "metrics": metrics,
        "wall_s": contracts["wall_s"] + metrics["wall_s"],
        "cpu_s": contracts["cpu_s"] + metrics["cpu_s"],
        "peak_bytes": _peak_bytes(),
    }


def parts(path: str, limit_bytes: str) -> dict[str, Any]:
    before = _data_bytes()
    # Anonymous memory: what a process allocates, the threads' stacks and pools included.
    resource.setrlimit(resource.RLIMIT_DATA, (int(limit_bytes), int(limit_bytes)))
    parted = PartedHistory(Path(path))
    with TemporaryDirectory(dir=Path(path).parent) as folder:
        verdict, took = _timed(
            lambda: judge_parts(parted.run, parted.parts(150_000), list(CLEAN.values()), FolderShelf(Path(folder)))
        )
    words = {finding.contract: str(finding.word) for finding in verdict.findings}
    reasons = [finding.sentence for finding in verdict.findings if str(finding.word) != "holds"]
    return {
        "jobs": parted.n_jobs, "verdict": str(verdict.word), "words": words, "reasons": reasons, **took, "limit_bytes": int(limit_bytes),
        "data_bytes_at_start": before, "peak_bytes": _peak_bytes(),
    }  # fmt: skip


def _data_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[5]) * os.sysconf("SC_PAGE_SIZE")


def loops(jobs: str) -> dict[str, Any]:
    history = clean_history(int(jobs))
    rows = history.events.select("time_ns", "job", "kind", "process", "group", "task", "value").rows()
    found, slow = _timed(lambda: {name: loop(rows) for name, loop in LOOPS.items()})
    fresh = clean_history(int(jobs))  # Nothing of the first is remembered.
    _, fast = _timed(lambda: judge(fresh, [CLEAN[name] for name in LOOPS]))
    return {"jobs": int(jobs), "contracts": list(LOOPS), "offences": found, "loops": slow, "package": fast,
            "times_faster": slow["cpu_s"] / fast["cpu_s"]}  # fmt: skip


if __name__ == "__main__":
    what, *arguments = sys.argv[1:]
    print(json.dumps({"make": make, "whole": whole, "parts": parts, "loops": loops}[what](*arguments)))
