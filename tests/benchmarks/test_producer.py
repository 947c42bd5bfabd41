"""How well the producer keeps its schedule, beside Locust's; how fast a plan is made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import jobharness.agent
from jobharness.history.event import Kind
from jobharness.history.follow import Follower
from jobharness.history.log import gather
from jobharness.workload.plan import planned_jobs, write_plan
from tests.benchmarks.planning import workload

HERE = Path(__file__).parent
RATE, SECONDS = 5000, 5.0


def _lateness_ms(tmp_path: Path) -> np.ndarray:
    plan, records = tmp_path / "plan.jsonl", tmp_path / "records"
    records.mkdir()
    library = HERE / "null_library.py"
    write_plan(planned_jobs(workload("plain", RATE, SECONDS), 1), plan, app="nothing", library=str(library))
    agent = Path(jobharness.agent.__file__).parent / "path"
    env = {
        **os.environ, "PYTHONPATH": str(agent), "JOBHARNESS_HISTORY": str(records), "JOBHARNESS_ROLE": "producer",
        "JOBHARNESS_NAME": "producer", "JOBHARNESS_LIBRARY": str(library),
    }  # fmt: skip
    producer = subprocess.Popen([sys.executable, "-m", "jobharness_agent.producer", str(plan)], env=env, start_new_session=True)
    _await_ready(records, time.monotonic() + 60)
    Path(f"{plan}.go").write_text(str(time.monotonic_ns() + 100_000_000))
    assert producer.wait(60) == 0
    history = gather(records, {})
    rows = history.columns.rows(Kind.ENQUEUE_BEGIN)
    assert len(rows) == RATE * SECONDS
    return np.sort((history.columns["time_ns"][rows] - history.columns["value"][rows]) / 1e6)


def _await_ready(records: Path, deadline_s: float) -> None:
    follower = Follower(records)
    while not any(news.kind is Kind.PRODUCER_READY for news in follower.poll()):
        assert time.monotonic() < deadline_s, "the producer was not ready in time"
        time.sleep(0.01)


def _spread_ms(late_ms: np.ndarray | list[float]) -> str:
    return ", ".join(f"p{q:g} {np.percentile(late_ms, q):.3f}" for q in (50, 99, 99.9))


def test_the_producer_keeps_its_schedule_at_5000_jobs_a_second(benchmark, figure, tmp_path):
    ours = benchmark.pedantic(lambda: _lateness_ms(tmp_path), rounds=1)
    command = [sys.executable, str(HERE / "locust_pace.py"), str(RATE), str(SECONDS)]
    locust = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, start_new_session=True).stdout)
    how = (
        f"p99 of {len(ours):,} sends at {RATE:,}/s to a null queue; in ms {_spread_ms(ours)}; Locust's constant throughput beside it, "
        f"with the same priority: {locust['sent'] / SECONDS:,.0f}/s, {_spread_ms(locust['late_ms'])}"
    )
    figure("lateness of the producer", float(np.percentile(ours, 99)), 0.5, "ms", how)


def test_a_million_jobs_with_faker_arguments_are_planned_in_flat_memory(benchmark, figure, tmp_path):
    def planned(jobs: int, mix: str) -> dict[str, float]:
        command = [sys.executable, str(HERE / "planning.py"), str(jobs), mix, str(tmp_path / "plan.jsonl")]
        found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        assert found["jobs"] == jobs
        return found

    few = planned(10_000, "plain")
    many = benchmark.pedantic(lambda: planned(1_000_000, "plain"), rounds=1)
    people = planned(1_000_000, "people")
    figure(
        "planning 1,000,000 jobs",
        many["took_s"],
        60.0,
        "s",
        "processor time, arguments by Faker (uuid4, pyint, email, file_name)",
    )
    figure("planning 1,000,000 with names", people["took_s"], 60.0, "s", "processor time; uuid4, name, address and email in each")
    grown_mib = max(many["peak_mib"], people["peak_mib"]) - few["peak_mib"]
    figure("memory that they take more than 10,000", grown_mib, 10.0, "MiB", f"of the peak, which is {many['peak_mib']:.0f} MiB")
