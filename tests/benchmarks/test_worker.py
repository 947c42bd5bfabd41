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
STARTS = 6
TURNS = 60
TURN_S = 0.25
WORKER = ["celery", "-A", "naps:app", "worker", "--pool", "solo", "--loglevel", "ERROR", "--without-gossip", "--without-mingle"]


class Worker:
    """A solo worker with a full queue of its own, stopped but for its turns."""

    def __init__(self, url, with_agent, folder, turn_s=TURN_S, **further):
        self.turn_s = turn_s
        self.client = redis.Redis.from_url(url)
        self.broker = self.client.info("server")["process_id"]
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

    def live_on(self, processor):
        """Let it and its Redis run on one processor alone."""
        for pid in (self.process.pid, self.broker):
            for thread in Path(f"/proc/{pid}/task").iterdir():
                os.sched_setaffinity(int(thread.name), {processor})

    def cpu_ns(self):
        return int(Path(f"/proc/{self.process.pid}/schedstat").read_text().split()[0])

    def end(self):
        self.process.kill()
        self.process.wait()
        self.client.close()


def together(workers, processors):
    """A turn of both at once, each on a processor of its own. For each: jobs, and jobs a second of its processor time."""
    for worker, processor in zip(workers, processors, strict=True):
        worker.live_on(processor)
    before = [(worker.left(), worker.cpu_ns()) for worker in workers]
    for worker in workers:
        worker.signal(signal.SIGCONT)
    time.sleep(TURN_S)  # The measured span, not a wait for anything.
    for worker in workers:
        worker.signal(signal.SIGSTOP)
    jobs = [left - worker.left() for worker, (left, _) in zip(workers, before, strict=True)]
    assert min(jobs) > 0 and all(worker.left() > 0 for worker in workers)
    return [
        (count, count / (worker.cpu_ns() - cpu_ns) * 1e9)
        for worker, count, (_, cpu_ns) in zip(workers, jobs, before, strict=True)
    ]


def test_worker_with_the_agent_keeps_its_jobs_per_second(figure, tmp_path):
    processors = sorted(os.sched_getaffinity(0))[:2]
    ratios, cpu_ratios, without = [], [], []
    for start in range(STARTS):
        with ExitStack() as stack:
            # Where a process's memory happens to lie makes it faster or slower by some percent: hence several starts.
            workers = {}
            for with_agent in (True, False) if start % 2 else (False, True):
                folder = tmp_path / f"{start}-{with_agent}"
                folder.mkdir()
                url = stack.enter_context(redis_server(folder, free_port()))
                workers[with_agent] = Worker(url, with_agent, folder)
                stack.callback(workers[with_agent].end)
            for number in range(TURNS):
                # They change places: no processor favours either.
                pair = together([workers[True], workers[False]], processors if number % 2 else processors[::-1])
                ratios.append(pair[0][0] / pair[1][0])
                cpu_ratios.append(pair[0][1] / pair[1][1])
                without.append(pair[1][0] / TURN_S)
        recorded = sum(path.stat().st_size for path in (tmp_path / f"{start}-True").glob("*.rec"))
        assert recorded, "the agent recorded nothing, so this measures nothing"
    how = (
        f"Celery {version('celery')}, solo pool, jobs that do nothing: two workers at once, each with its Redis on a processor of its own, which "
        f"they change after each turn of {TURN_S:g} s; median of {TURNS} turns of each of {STARTS} starts; without the agent "
        f"{median_within(without)[0]:.0f} jobs/s"
    )
    value, within = median_within(ratios)
    figure("jobs/s of a worker with the agent, to one without", value, 0.97, "", how, at_least=True, within=within)
    value, within = median_within(cpu_ratios)
    how = "the same turns by the worker's own processor time, which other work on the machine disturbs less"
    figure("the same, jobs per second of its processor time", value, 0.97, "", how, at_least=True, within=within)
