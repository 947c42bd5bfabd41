"""Every pair of queue and broker: from a worker's start until it takes jobs, and what the agent costs it, with and without in turns."""

import shutil
import statistics
from contextlib import ExitStack
from pathlib import Path

import pytest

from jobharness.brokers.broker import LivesInFolder
from jobharness.catalog import assemble
from jobharness.clock import now_ns, seconds_between
from jobharness.history.event import Kind
from jobharness.history.follow import Follower
from jobharness.processes.guardian import Guardian
from jobharness.processes.process import Process, wait_for
from jobharness.processes.site import Site
from jobharness.runner.folder import new_folder
from jobharness.runner.inspection import inspect_app
from jobharness.runner.setup import set_up
from jobharness.runner.surroundings import Surroundings
from jobharness.workload.plan import write_plan
from tests.support.subjects import NEWEST

PROJECT = Path(__file__).parents[2]
TRY = 120  # Jobs of a first run without the agent, which is not counted and tells how many take `RUN_S`.
RUN_S = 3
MOST = 3000
LAST = 20  # A queue's last jobs are not timed: a worker that polls may sleep before it has seen them.
TURNS = 2
WITHIN_S = 120


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
        job = {"at_ns": 0, "task": self.task, "args": [1], "kwargs": {}, "options": {}}
        # A plan of its own for each turn: a producer goes on where the last one of the same plan ended.
        self.sent += 1
        plan = self.folder.path / f"plan-{self.sent}.jsonl"
        write_plan([job] * self.jobs, plan, app=self.parts.scenario.queue.app, library=self.parts.queue.agent_library())
        plan.with_name(plan.name + ".go").write_text(str(now_ns()), encoding="ascii")
        producer = self.start("producer", [str(self.around.python), "-m", "jobharness_agent.producer", str(plan)], "producer")
        assert producer.wait(WITHIN_S) == 0, producer.log_tail()
        assert wait_for(lambda: self.left() == self.jobs, WITHIN_S), f"{self.left()} of {self.jobs} jobs that were sent are there"

    def run(self, with_agent):
        """Jobs per second, and seconds from start to ready (None without the agent)."""
        self.send()
        follower = Follower(self.folder.records)
        follower.poll()
        began_ns, ready_ns = now_ns(), []
        worker = self.start("worker-1", self.around.worker_command("worker-1"), "worker", with_agent)
        try:
            first = self.jobs - LAST

            def begun():
                ready_ns.extend(news.time_ns for news in follower.poll() if news.kind is Kind.WORKER_READY)
                return self.left() <= first

            assert wait_for(begun, WITHIN_S), worker.log_tail()
            start_ns, begin = now_ns(), self.left()
            assert wait_for(lambda: self.left() <= LAST, WITHIN_S), worker.log_tail()
            rate = (begin - LAST) / seconds_between(start_ns, now_ns())
            assert wait_for(lambda: self.left() == 0, WITHIN_S), worker.log_tail()
            ready_ns += [news.time_ns for news in follower.poll() if news.kind is Kind.WORKER_READY]
        finally:
            worker.stop(grace_s=10)
        for path in self.folder.records.iterdir():
            path.unlink()
        assert bool(ready_ns) == with_agent, "the agent recorded nothing, so this measures nothing"
        return rate, seconds_between(began_ns, max(ready_ns)) if with_agent else None


@pytest.mark.parametrize("name", NEWEST)
def test_pair_is_ready_soon_and_keeps_its_jobs_per_second(name, figure, tmp_path):
    ratios, ready_s, without = [], [], []
    with ExitStack() as stack:
        bench = Bench(NEWEST[name].subject_there(), tmp_path, stack)
        bench.jobs = min(MOST, max(TRY, round(bench.run(False)[0] * RUN_S)))
        for turn in range(TURNS):
            # A B, B A, A B ...: a machine that grows slower favours neither.
            order = (True, False) if turn % 2 else (False, True)
            seen = {with_agent: bench.run(with_agent) for with_agent in order}
            ratios.append(seen[True][0] / seen[False][0])
            without.append(seen[False][0])
            ready_s.append(seen[True][1])
    shutil.rmtree(tmp_path, ignore_errors=True)
    how = f"median of {TURNS} turns ({min(ratios):.3f} to {max(ratios):.3f}), {bench.jobs} jobs each"
    rate = f"; without the agent {statistics.median(without):.0f} jobs/s"
    figure(f"{name}: jobs/s with the agent, to without", statistics.median(ratios), 0.97, "", how + rate, at_least=True)
    figure(f"{name}: a worker's start to ready", statistics.median(ready_s), 10, "s", f"median of {TURNS} starts")
