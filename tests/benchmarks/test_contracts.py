"""All contracts and metrics at full size: time, its growth, memory, and how much faster than plain loops."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

GIB = 2**30
PROJECT = Path(__file__).parents[2]
SIZES = (100_000, 1_000_000, 10_000_000)


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


def test_ten_million_jobs_are_judged_and_measured(benchmark: Any, saved: dict[int, Path]) -> None:
    answers = benchmark.pedantic(lambda: [_measured("whole", saved[jobs]) for jobs in SIZES], rounds=1)
    print(f"\n{'jobs':>10} {'events':>11} {'wall s':>7} {'cpu s':>7} {'peak GiB':>9}")
    for one in answers:
        print(f"{one['jobs']:>10} {one['events']:>11} {one['wall_s']:7.2f} {one['cpu_s']:7.2f} {one['peak_bytes'] / GIB:9.2f}")
    # Cost = a * jobs ** b, through the two larger sizes, where fixed costs no longer count.
    growth = math.log(answers[2]["cpu_s"] / answers[1]["cpu_s"]) / math.log(SIZES[2] / SIZES[1])
    print(f"cost grows with jobs ** {growth:.2f} from 10^6 to 10^7")
    benchmark.extra_info.update(growth=growth, largest=answers[2])
    assert {one["verdict"] for one in answers} == {"holds"}
    assert answers[2]["peak_bytes"] < 4 * GIB
    assert growth < 1.25


def test_a_history_larger_than_memory_is_judged_in_parts(benchmark: Any, saved: dict[int, Path]) -> None:
    answer = benchmark.pedantic(lambda: _measured("parts", saved[SIZES[2]], GIB), rounds=1)
    print(
        f"\n{answer['jobs']} jobs in parts: {answer['wall_s']:.1f} s, cpu {answer['cpu_s']:.1f} s, peak {answer['peak_bytes'] / GIB:.2f} GiB"
    )
    benchmark.extra_info.update(answer)
    assert answer["verdict"] == "holds", answer["reasons"]


def test_ten_contracts_are_ten_times_faster_than_loops(benchmark: Any) -> None:
    answer = benchmark.pedantic(lambda: _measured("loops", 1_000_000), rounds=1)
    slow, fast = answer["loops"]["cpu_s"], answer["package"]["cpu_s"]
    print(
        f"\nten contracts over 10^6 jobs: loops {slow:.1f} s, package {fast:.2f} s of processor time, {slow / fast:.0f} times faster"
    )
    benchmark.extra_info.update(answer)
    assert not any(answer["offences"].values())
    assert slow > 10 * fast
