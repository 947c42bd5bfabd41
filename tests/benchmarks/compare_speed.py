"""Comparing ten runs a side, in a process of its own: `python -m tests.benchmarks.compare_speed PATH...`, an answer in JSON.

Each PATH is a saved history; they are taken in turns until both sides have ten runs. Every run is loaded and measured anew, as if its
metrics had not been kept.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from jobharness.history.log import load
from jobharness.metrics.judgement import judge_metrics
from jobharness.metrics.measure import measure

RUNS = 10


def compared(paths: list[str]) -> dict[str, Any]:
    """Times in s, of the wall and of the processor; peak memory in bytes."""
    wall, processor = time.perf_counter(), time.process_time()
    metrics, jobs = [], 0
    for path in islice(cycle(paths), 2 * RUNS):
        history = load(Path(path))
        jobs = history.jobs.height
        metrics.append(measure(history))
        del history
    measured_s = time.process_time() - processor
    judged = judge_metrics(metrics[::2], metrics[1::2], {}, paired=True)
    return {
        "jobs": jobs,
        "wall_s": time.perf_counter() - wall,
        "cpu_s": time.process_time() - processor,
        "judging_s": time.process_time() - processor - measured_s,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "metrics": len(judged),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(compared(sys.argv[1:])))
