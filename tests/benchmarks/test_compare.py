"""How long it takes to compare ten runs a side of a million jobs each, from their histories."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[2]
JOBS = 1_000_000


def _run(module: str, *words: object) -> str:
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, words)], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_ten_runs_a_side_of_a_million_jobs(benchmark: Any, figure: Any, tmp_path: Path) -> None:
    paths = [tmp_path / "before.parquet", tmp_path / "after.parquet"]
    for path in paths:
        _run("tests.benchmarks.contracts_speed", "make", path, JOBS)
    answer = benchmark.pedantic(lambda: json.loads(_run("tests.benchmarks.compare_speed", *paths)), rounds=1)
    how = (
        f"20 histories of {answer['jobs']:,} jobs loaded, measured and judged; {answer['cpu_s']:.1f} s of processor time, of which "
        f"{answer['judging_s']:.1f} s to judge {answer['metrics']} metrics, which is all there is to do where a run's metrics were kept"
    )
    figure("comparing ten runs a side of a million jobs", answer["wall_s"], 15.0, "s", how)
    figure("memory for it", answer["peak_bytes"] / 1e9, 2.0, "GB", "peak of the process, loading included")
    assert answer["metrics"] >= 10
