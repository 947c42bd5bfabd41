"""All contracts and metrics at full size: time, its growth, memory, and how much faster than plain loops."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

GIB = 2**30
PROJECT = Path(__file__).parents[2]
SIZES = (100_000, 1_000_000, 10_000_000)
TIMES = 3


def _measured(*words: object) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.contracts_speed", *map(str, words)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    folder = tmp_path_factory.mktemp("histories")
    paths = {jobs: folder / f"{jobs}.parquet" for jobs in SIZES}
    for jobs, path in paths.items():
        _measured("make", path, jobs)
    return paths


def test_ten_million_jobs_are_judged_and_measured(benchmark: Any, figure: Any, saved: dict[int, Path]) -> None:
    sizes = (*SIZES, *[SIZES[-1]] * (TIMES - 1))
    measured = benchmark.pedantic(lambda: [_measured("whole", saved[jobs]) for jobs in sizes], rounds=1)
    # The same work takes a fifth more or less, by what else the machine's host does: the median counts.
    largest_ones = sorted(measured[len(SIZES) - 1 :], key=lambda one: float(one["wall_s"]))
    largest = largest_ones[TIMES // 2]
    answers = [*measured[: len(SIZES) - 1], largest]
    # Cost = a * jobs ** b, fitted to the three sizes.
    growth = np.polyfit(np.log(SIZES), np.log([one["cpu_s"] for one in answers]), 1)[0]
    each = ", ".join(f"10^{np.log10(one['jobs']):.0f}: {one['cpu_s']:.2f} s" for one in answers)
    walls = ", ".join(f"{one['wall_s']:.1f}" for one in largest_ones)
    how = (
        f"{largest['jobs']:,} jobs, {largest['events']:,} events, loaded; {largest['cpu_s']:.1f} s of processor time; median of "
        f"{TIMES} runs: {walls} s"
    )
    figure("all contracts and metrics", largest["wall_s"], 10.0, "s", how)
    figure(
        "memory for it", max(one["peak_bytes"] for one in largest_ones) / 1e9, 4.0, "GB", "peak of the process, loading included"
    )
    figure("growth of its cost", growth, 1.1, "", f"exponent of the fit to processor time at {each}")
    assert {one["verdict"] for one in answers} == {"holds"}


def test_a_history_larger_than_memory_is_judged_in_parts(benchmark: Any, figure: Any, saved: dict[int, Path]) -> None:
    answer = benchmark.pedantic(lambda: _measured("parts", saved[SIZES[2]], GIB), rounds=1)
    how = f"every contract over {answer['jobs']:,} jobs, part by part, in {answer['cpu_s']:.0f} s of processor time, RLIMIT_DATA 1 GiB"
    figure("memory for a history larger than it", answer["peak_bytes"] / GIB, 1.0, "GiB", how)
    assert answer["verdict"] == "holds", answer["reasons"]


def test_ten_contracts_are_ten_times_faster_than_loops(benchmark: Any, figure: Any) -> None:
    answer = benchmark.pedantic(lambda: _measured("loops", 1_000_000), rounds=1)
    slow, fast = answer["loops"]["cpu_s"], answer["package"]["cpu_s"]
    how = f"ten contracts over 10^6 jobs: {slow:.1f} s by loops and dicts, {fast:.2f} s by the package (processor time)"
    figure("faster than plain loops", slow / fast, 10.0, "times", how, at_least=True)
    assert not any(answer["offences"].values())
