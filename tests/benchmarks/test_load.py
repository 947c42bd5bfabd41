"""What Locust users of jobharness cost, beside plain ones that do the same enqueue."""

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from jobharness.processes.ports import free_port
from tests.benchmarks.intervals import median_within
from tests.staging.conftest import NAPS, SCENARIO
from tests.support.redis_server import redis_server

HERE = Path(__file__).parent
PAIRS = 60
TURN_S = 0.3
WARM_UP = 3


class Side:
    """One Locust, and a Redis of its own."""

    def __init__(self, kind, folder, stack):
        url = stack.enter_context(redis_server(folder, free_port()))
        env = {**os.environ, "CELERY_BROKER_URL": url, "PYTHONPATH": f"{HERE.parents[1]}{os.pathsep}{folder}"}
        command = [sys.executable, str(HERE / "locust_turns.py"), kind, "naps.toml"]
        self._process = subprocess.Popen(
            command, cwd=folder, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        stack.callback(self._process.wait, 30)
        stack.callback(self._process.stdin.close)
        stack.callback(self._process.stdout.close)
        assert self._process.stdout.readline() == "ready\n"

    def rate(self):
        """Enqueues a second in one turn."""
        self._process.stdin.write(f"{TURN_S}\n")
        self._process.stdin.flush()
        sent, took_s, failed = self._process.stdout.readline().split()
        assert int(failed) == 0
        return int(sent) / float(took_s)


def test_job_users_enqueue_nearly_as_fast_as_plain_ones(benchmark, figure, tmp_path):
    (tmp_path / "naps.py").write_bytes(NAPS.read_bytes())
    (tmp_path / "naps.toml").write_text(SCENARIO, encoding="utf-8")

    def pairs():
        with ExitStack() as stack:
            plain, job = (Side(kind, tmp_path, stack) for kind in ("plain", "job"))
            rates = [(plain.rate(), job.rate()) if number % 2 else (job.rate(), plain.rate())[::-1] for number in range(PAIRS)]
        return rates[WARM_UP:]

    rates = benchmark.pedantic(pairs, rounds=1)
    value, within = median_within([job / plain for plain, job in rates])
    how = (
        f"Celery on Redis, eight users in one process that enqueue as fast as they can; turns of {TURN_S:g} s, median of {len(rates)} "
        f"pairs; plain users {median_within([plain for plain, _ in rates])[0]:.0f} jobs/s"
    )
    figure("enqueues/s of Locust's JobUser, to those of a plain user", value, 0.8, "", how, at_least=True, within=within)
