"""What the agent costs a worker: jobs a second with it and without it, in turns, on the same broker."""

import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import redis

from jobharness.processes.ports import free_port
from jobharness.processes.process import wait_for
from jobharness.runner.surroundings import AGENT_PATH
from tests.support.redis_server import redis_server

JOBS = 3000
PAIRS = 12
APP = Path(__file__).parents[1] / "runs" / "apps"


def jobs_per_s(folder, url, with_agent):
    """Enqueue, then start one solo worker and time it from its tenth job to its last."""
    environment = {"PATH": os.environ["PATH"], "CELERY_BROKER_URL": url, "PYTHONPATH": str(APP)}
    send = f"from naps import nothing\nfor _ in range({JOBS}): nothing.delay()"
    subprocess.run([sys.executable, "-c", send], env=environment, check=True)
    if with_agent:
        records = folder / f"records-{time.monotonic_ns()}"
        records.mkdir()
        environment |= {
            "PYTHONPATH": os.pathsep.join([str(AGENT_PATH), str(APP)]),
            "JOBHARNESS_HISTORY": str(records),
            "JOBHARNESS_LIBRARY": "celery",
        }
        environment |= {"JOBHARNESS_ROLE": "worker", "JOBHARNESS_NAME": "worker-1", "JOBHARNESS_APP": "naps:app"}
    command = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "naps:app",
        "worker",
        "--pool",
        "solo",
        "--loglevel",
        "ERROR",
        "--without-gossip",
        "--without-mingle",
    ]
    with redis.Redis.from_url(url) as client:
        worker = subprocess.Popen(command, env=environment, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            assert wait_for(lambda: client.llen("celery") < JOBS - 10, 60)
            start, left = time.perf_counter(), client.llen("celery")
            assert wait_for(lambda: client.llen("celery") == 0, 120)
            taken_s = time.perf_counter() - start
        finally:
            worker.kill()
            worker.wait()
        client.flushall()
    if with_agent:
        recorded = sum(path.stat().st_size for path in records.glob("*.rec"))
        assert recorded, "the agent recorded nothing, so this measures nothing"
        shutil.rmtree(records)
    return left / taken_s


def test_worker_with_the_agent_keeps_its_jobs_per_second(figure, tmp_path):
    with redis_server(tmp_path, free_port()) as url:
        jobs_per_s(tmp_path, url, with_agent=True)  # Warms caches up.
        ratios, without = [], []
        for pair in range(PAIRS):
            # A B, B A, A B ...: a machine that grows slower favours neither.
            order = (True, False) if pair % 2 else (False, True)
            seen = {with_agent: jobs_per_s(tmp_path, url, with_agent) for with_agent in order}
            ratios.append(seen[True] / seen[False])
            without.append(seen[False])
    how = (
        f"Celery, solo pool, jobs that do nothing: median of {PAIRS} pairs in turns ({min(ratios):.3f} to {max(ratios):.3f}), "
        f"{JOBS} jobs each; without the agent {statistics.median(without):.0f} jobs/s"
    )
    figure("jobs/s of a worker with the agent, to one without", statistics.median(ratios), 0.97, "", how, at_least=True)
