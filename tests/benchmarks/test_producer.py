"""How well the producer keeps its schedule, beside Locust's; how fast a plan is made."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import jobharness.agent
from jobharness.history.event import Kind
from jobharness.history.log import gather
from jobharness.scenario.model import WorkloadSpec
from jobharness.workload.plan import planned_jobs, write_plan

HERE = Path(__file__).parent
RATE, SECONDS = 5000, 5.0
JOBS = [
    {"task": "shop.charge", "weight": 3, "kwargs": {"order_id": "{faker.uuid4}", "amount": "{faker.pyint}"}},
    {"task": "shop.receipt", "weight": 2, "kwargs": {"order_id": "{faker.uuid4}", "email": "{faker.email}"}},
    {"task": "shop.resize", "weight": 1, "kwargs": {"name": "{faker.file_name:category=image}", "pixels": "{faker.pyint}"}},
]


def _workload(rate: float, duration_s: float) -> WorkloadSpec:
    return WorkloadSpec(arrivals={"process": "constant", "rate": float(rate)}, duration=float(duration_s), job=JOBS)


def _lateness_ms(tmp_path: Path) -> np.ndarray:
    plan, records = tmp_path / "plan.jsonl", tmp_path / "records"
    records.mkdir()
    library = HERE / "null_library.py"
    write_plan(planned_jobs(_workload(RATE, SECONDS), 1), plan, app="nothing", library=str(library))
    agent = Path(jobharness.agent.__file__).parent / "path"
    env = {
        **os.environ, "PYTHONPATH": str(agent), "JOBHARNESS_HISTORY": str(records), "JOBHARNESS_ROLE": "producer",
        "JOBHARNESS_NAME": "producer", "JOBHARNESS_LIBRARY": str(library),
    }  # fmt: skip
    producer = subprocess.Popen([sys.executable, "-m", "jobharness_agent.producer", str(plan)], env=env)
    time.sleep(1)  # Not a wait for an event: what is measured must not share its first moments with the imports.
    Path(f"{plan}.go").write_text(str(time.monotonic_ns() + 100_000_000))
    assert producer.wait(60) == 0
    history = gather(records, {})
    rows = history.columns.rows(Kind.ENQUEUE_BEGIN)
    assert len(rows) == RATE * SECONDS
    return np.sort((history.columns["time_ns"][rows] - history.columns["value"][rows]) / 1e6)


def test_the_producer_keeps_its_schedule_at_5000_jobs_a_second(benchmark, figure, tmp_path):
    ours = benchmark.pedantic(lambda: _lateness_ms(tmp_path), rounds=1)
    command = [sys.executable, str(HERE / "locust_pace.py"), str(RATE), str(SECONDS)]
    locust = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    theirs = locust["late_ms"]
    sent = (
        f"sent {locust['sent'] / SECONDS:,.0f}/s, p50 {np.percentile(theirs, 50):.2f} ms, p99 {np.percentile(theirs, 99):.2f} ms"
    )
    how = f"p99 of {len(ours):,} sends at {RATE:,}/s to a null queue, p50 {np.percentile(ours, 50):.3f} ms; Locust beside it: {sent}"
    figure("lateness of the producer", float(np.percentile(ours, 99)), 0.5, "ms", how)


def test_a_million_jobs_with_faker_arguments_are_planned_in_flat_memory(benchmark, figure, tmp_path):
    def planned(jobs: int) -> float:
        began = time.process_time()
        write_plan(planned_jobs(_workload(RATE, jobs / RATE), 1), tmp_path / "plan.jsonl", app="a", library="b")
        return time.process_time() - began

    planned(50_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    took_s = benchmark.pedantic(lambda: planned(1_000_000), rounds=1)
    grown_mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    figure("planning 1,000,000 jobs", took_s, 60.0, "s", "processor time, arguments by Faker (uuid4, pyint, email, file_name)")
    figure("memory that it takes more than 50,000", grown_mib, 10.0, "MiB", "growth of the peak")
