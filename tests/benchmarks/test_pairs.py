"""Every pair of queue and broker: from a worker's start until it takes jobs, and what the agent costs it, with and without at once."""

import itertools
import os
import shutil
import statistics
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
import pytest

from jobharness.brokers.broker import LivesInFolder
from jobharness.catalog import assemble
from jobharness.clock import now_ns, seconds_between
from jobharness.history.event import Kind
from jobharness.history.follow import Follower
from jobharness.processes.guardian import Guardian, marked
from jobharness.processes.process import Process, wait_for
from jobharness.processes.site import Site
from jobharness.runner.folder import new_folder
from jobharness.runner.inspection import inspect_app
from jobharness.runner.setup import set_up
from jobharness.runner.surroundings import Surroundings
from jobharness.workload.plan import write_plan
from tests.benchmarks.intervals import median_within
from tests.support.subjects import NEWEST

PROJECT = Path(__file__).parents[2]
TRY = 120  # Jobs of the first runs without the agent, which are not counted and tell how many take `RUN_S`; five times as many,
RUN_S = 3  # where they took less than `KNOWN_S`, since what is left cannot be asked for all the time.
KNOWN_S = 1
MOST = 12_000
LAST = 20  # A queue's first and last jobs are not timed: a worker that polls may sleep before it has seen them.
STARTS = 6
SWAP_EVERY_S = 0.25
WITHIN_S = 600


class Bench:
    """One pair with its broker up. `run(with_agent)` sends jobs, lets one worker do them, and times it."""

    def __init__(self, subject, folder, stack):
        self.parts = assemble(subject.scenario(), PROJECT)
        self.task = subject.jobs["succeed"].task
        self.folder = new_folder(folder, subject.name)
        self.mark = self.folder.run_id
        stack.enter_context(Guardian(self.mark))
        if isinstance(self.parts.broker, LivesInFolder):
            self.parts.broker.live_in(self.folder.data)
        places = {"broker.url": self.parts.broker.url, "run.folder": str(self.folder.data)}
        self.around = Surroundings(self.parts, self.folder, places)
        self.jobs, self.sent = TRY, 0
        stack.callback(self.parts.broker.stop)
        site = Site(self.folder.data, self.folder.logs, self.folder.records, self.mark, self.around.without_agent())
        self.parts.broker.start(site)
        self.servers = [process for process in marked(self.mark) if process.pid != os.getpid()]
        set_up(self.parts, self.around, site)
        self.app = inspect_app(self.parts, self.around, self.folder, self.mark)

    def left(self):
        return self.parts.queue.counts(self.parts.broker, self.app).unsettled

    def start(self, name, command, role, with_agent=True):
        env = self.around.for_process(role, name)
        if not with_agent:
            env = {key: value for key, value in env.items() if not key.startswith("JOBHARNESS_")} | {
                "PYTHONPATH": str(self.around.cwd)
            }
        log = self.folder.logs / f"{name}.log"
        return Process(name, command, env=env, folder=self.around.cwd, log=log, mark=self.mark)

    def send(self):
        """Send the jobs while no worker is there."""
        self.produce(self.jobs)
        assert wait_for(lambda: self.left() == self.jobs, WITHIN_S), f"{self.left()} of {self.jobs} jobs that were sent are there"

    def produce(self, jobs):
        job = {"at_ns": 0, "task": self.task, "args": [1], "kwargs": {}, "options": {}}
        # A plan of its own for each turn: a producer goes on where the last one of the same plan ended.
        self.sent += 1
        plan = self.folder.path / f"plan-{self.sent}.jsonl"
        write_plan([job] * jobs, plan, app=self.parts.scenario.queue.app, library=self.parts.queue.agent_library())
        plan.with_name(plan.name + ".go").write_text(str(now_ns()), encoding="ascii")
        producer = self.start("producer", [str(self.around.python), "-m", "jobharness_agent.producer", str(plan)], "producer")
        assert producer.wait(WITHIN_S) == 0, producer.log_tail()

    def begin(self, with_agent):
        """Start a worker on the jobs that were sent."""
        self.follower = Follower(self.folder.records)
        self.follower.poll()
        self.with_agent, self.began_ns, self.ready_ns = with_agent, now_ns(), []
        self.since_ns = self.until_ns = None
        self.worker = self.start("worker-1", self.around.worker_command("worker-1"), "worker", with_agent)

    def live_on(self, processor):
        """Let the worker, its broker and all that they start run on one processor alone."""
        for root in (*self.servers, psutil.Process(self.worker.pid)):
            for process in (root, *root.children(recursive=True)):
                with suppress(OSError):  # The process has ended.
                    for thread in Path(f"/proc/{process.pid}/task").iterdir():
                        with suppress(OSError):  # The thread has.
                            os.sched_setaffinity(int(thread.name), {processor})

    def look(self):
        """Take the time of the first jobs and the last. Returns whether all are done."""
        self.ready_ns.extend(news.time_ns for news in self.follower.poll() if news.kind is Kind.WORKER_READY)
        left, now = self.left(), now_ns()
        if self.since_ns is None and left <= self.jobs - LAST:
            self.since_ns, self.from_left = now, left
        if self.until_ns is None and left <= LAST:
            self.until_ns, self.to_left = now, left
        return left == 0

    def end(self):
        """Stop the worker. Returns jobs per second, and seconds from start to ready (None without the agent)."""
        self.worker.stop(grace_s=10)
        self.look()
        for path in self.folder.records.iterdir():
            path.unlink()
        assert bool(self.ready_ns) == self.with_agent, "the agent recorded nothing, so this measures nothing"
        assert self.until_ns > self.since_ns, f"{self.jobs} jobs were done between two looks, so this measures nothing"
        rate = (self.from_left - self.to_left) / seconds_between(self.since_ns, self.until_ns)
        return rate, seconds_between(self.began_ns, max(self.ready_ns)) if self.with_agent else None

    def alone(self):
        """How many jobs take `RUN_S` without the agent, and nothing beside it."""
        for self.jobs in (TRY, TRY * 5, TRY * 25, MOST):
            self.send()
            self.begin(False)
            assert wait_for(self.look, WITHIN_S), self.worker.log_tail()
            took_s = seconds_between(self.since_ns, self.until_ns)
            if took_s >= KNOWN_S or self.jobs == MOST:
                return min(MOST, max(TRY, round(self.end()[0] * RUN_S)))
            self.worker.stop(grace_s=10)


def together(benches):
    """Both at once, each with its broker on a processor of its own, which they change all the time. `end` of each."""
    processors = sorted(os.sched_getaffinity(0))[:2]
    for bench in benches:
        bench.send()
    for bench, with_agent in zip(benches, (True, False), strict=True):
        bench.begin(with_agent)
    deadline = time.monotonic() + WITHIN_S
    for places in itertools.cycle((processors, processors[::-1])):
        for bench, processor in zip(benches, places, strict=True):
            bench.live_on(processor)
        done = [bench.look() for bench in benches]
        if all(done):
            break
        assert time.monotonic() < deadline, [bench.worker.log_tail() for bench in benches]
        time.sleep(SWAP_EVERY_S)
    return [bench.end() for bench in benches]


@pytest.mark.parametrize("name", NEWEST)
def test_pair_is_ready_soon_and_keeps_its_jobs_per_second(name, figure, tmp_path):
    ratios, ready_s, without = [], [], []
    with ExitStack() as stack:
        subject = NEWEST[name].subject_there()
        benches = [Bench(subject, tmp_path / side, stack) for side in ("a", "b")]
        jobs = benches[0].alone()
        for start in range(STARTS):
            for bench in benches:
                bench.jobs = jobs
            # The broker that served the one with the agent serves the other next.
            pair = benches if start % 2 else benches[::-1]
            (rate, ready), (plain, _) = together(pair)
            ratios.append(rate / plain)
            without.append(plain)
            ready_s.append(ready)
    shutil.rmtree(tmp_path, ignore_errors=True)
    value, within = median_within(ratios)
    how = (
        f"two workers at once, each with its broker on a processor of its own, which they change every {SWAP_EVERY_S:g} s; median of "
        f"{STARTS} starts, {jobs} jobs each; without the agent {statistics.median(without):.0f} jobs/s"
    )
    figure(f"{name}: jobs/s with the agent, to without", value, 0.97, "", how, at_least=True, within=within)
    figure(f"{name}: a worker's start to ready", statistics.median(ready_s), 10, "s", f"median of {STARTS} starts, two at once")
