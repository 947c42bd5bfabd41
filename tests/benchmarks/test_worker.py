"""What the agent costs a Celery worker."""

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path

import redis

from jobharness.processes.ports import free_port
from jobharness.processes.process import wait_for
from jobharness.runner.surroundings import AGENT_PATH
from tests.benchmarks.intervals import median_within
from tests.support.redis_server import redis_server

APP = Path(__file__).parents[1] / "runs" / "apps"
JOBS = 40_000  # More than a worker does in all its turns, so that none is ever idle.
PAIRS = 100
TURN_S = 0.1
WORKER = ["celery", "-A", "naps:app", "worker", "--pool", "solo", "--loglevel", "ERROR", "--without-gossip", "--without-mingle"]


class Worker:
    """A solo worker with a full queue of its own, stopped but for its turns."""

    def __init__(self, url, with_agent, folder, turn_s=TURN_S, **further):
        self.turn_s = turn_s
        self.client = redis.Redis.from_url(url)
        environment = {"PATH": os.environ["PATH"], "CELERY_BROKER_URL": url, "PYTHONPATH": str(APP)}
        self.fill(environment)
        if with_agent:
            environment |= {
                "PYTHONPATH": os.pathsep.join([str(AGENT_PATH), str(APP)]),
                "JOBHARNESS_HISTORY": str(folder),
                "JOBHARNESS_LIBRARY": "celery",
                "JOBHARNESS_ROLE": "worker",
                "JOBHARNESS_NAME": "worker-1",
                "JOBHARNESS_APP": "naps:app",
                **further,
            }
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen([sys.executable, "-m", *WORKER], env=environment, cwd=folder, stdout=quiet, stderr=quiet)
        assert wait_for(lambda: self.left() < JOBS - 500, 120)
        self.signal(signal.SIGSTOP)

    def signal(self, number):
        """Let it go on, or stop it."""
        self.process.send_signal(number)

    def fill(self, environment):
        """One message of Celery's own, under as many ids: sending each would take a minute."""
        send = "from naps import nothing; nothing.delay()"
        subprocess.run([sys.executable, "-c", send], env=environment, check=True)
        message = self.client.lpop("celery").decode()
        job_id = message.partition('"id": "')[2][:36]
        ids = [f"{number:08x}{job_id[8:]}" for number in range(JOBS)]
        for first in range(0, JOBS, 1000):
            self.client.lpush("celery", *(message.replace(job_id, one) for one in ids[first : first + 1000]))

    def left(self):
        return self.client.llen("celery")

    def turn(self):
        """`(jobs a second, jobs a second of the processor's time)` of one turn."""
        before, cpu_ns, start = self.left(), self.cpu_ns(), time.perf_counter()
        self.signal(signal.SIGCONT)
        time.sleep(self.turn_s)  # The measured span, not a wait for anything.
        self.signal(signal.SIGSTOP)
        took_s, jobs = time.perf_counter() - start, before - self.left()
        assert self.left() > 0 and jobs > 0
        return jobs / took_s, jobs / (self.cpu_ns() - cpu_ns) * 1e9

    def cpu_ns(self):
        return int(Path(f"/proc/{self.process.pid}/schedstat").read_text().split()[0])

    def end(self):
        self.process.kill()
        self.process.wait()
        self.client.close()


def test_worker_with_the_agent_keeps_its_jobs_per_second(figure, tmp_path):
    with ExitStack() as stack:
        workers = {}
        for with_agent in (True, False):
            folder = tmp_path / f"agent-{with_agent}"
            folder.mkdir()
            url = stack.enter_context(redis_server(folder, free_port()))
            workers[with_agent] = Worker(url, with_agent, folder)
            stack.callback(workers[with_agent].end)
        ratios, cpu_ratios, without = [], [], []
        for pair in range(PAIRS):
            # A B, B A, A B ...: a machine that grows slower favours neither.
            seen = {with_agent: workers[with_agent].turn() for with_agent in ((True, False) if pair % 2 else (False, True))}
            ratios.append(seen[True][0] / seen[False][0])
            cpu_ratios.append(seen[True][1] / seen[False][1])
            without.append(seen[False][0])
        recorded = sum(path.stat().st_size for path in (tmp_path / "agent-True").glob("*.rec"))
    assert recorded, "the agent recorded nothing, so this measures nothing"
    how = (
        f"Celery {version('celery')}, solo pool, jobs that do nothing: two workers, each on a Redis of its own, take turns of "
        f"{TURN_S:g} s; median of {PAIRS} pairs of turns; without the agent {median_within(without)[0]:.0f} jobs/s"
    )
    value, within = median_within(ratios)
    figure("jobs/s of a worker with the agent, to one without", value, 0.97, "", how, at_least=True, within=within)
    value, within = median_within(cpu_ratios)
    how = "the same turns by the worker's own processor time, which other work on the machine disturbs less"
    figure("the same, jobs per second of its processor time", value, 0.97, "", how, at_least=True, within=within)
