"""What the agent costs a worker of every pair, in instructions a job: nearly the same at each run, on whatever machine

Valgrind counts what the processes of a worker execute, by themselves and not in the kernel, from when `WARM` jobs are done until
`JOBS` more are. Where its names and types come to lie in memory is a matter of chance at each start, and some of them share a place in
Python's cache of methods, which costs all that use them: so there are `STARTS`, each with another seed. What jobs/s lose by them is less: of the time that a job takes, the kernel and the broker have their
part, too. So a worker without the agent, and without valgrind, is timed while it has jobs all the time: its share of user time, times
the instructions that the agent adds to each of its own, is what jobs/s lose at most, since not all that is executed is waited for.
Where several processes do the jobs, as many as there are processors do so side by side, and a job waits for what the agent adds in
its own: the busiest of them counts, and with it all processes that do no job, as if each job waited for them.
"""

import os
import shutil
import statistics
import subprocess
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
import pytest

from jobharness.clock import seconds_between
from jobharness.history.event import Kind
from jobharness.history.follow import Follower
from jobharness.processes.process import wait_for
from tests.benchmarks.test_pairs import Bench
from tests.support.subjects import NEWEST

WARM, JOBS = 60, 240
STARTS = 4
FORKS = {"rq on redis": (5, 20)}  # Pairs that fork for each job, which valgrind takes a second for: their `WARM` and `JOBS`.
WITHIN_S = 900  # By valgrind, everything takes fifty times as long.
LOOKS, LOOK_S = 20, 0.05
IDLE = 0.8  # The share of looks at which a worker that polls may be seen to run; one with jobs in hand runs at each.


class Counted(Bench):
    """A worker whose instructions are counted."""

    def __init__(self, subject, folder, stack, with_agent):
        super().__init__(subject, folder, stack)
        self.counts = folder / "counts"
        self.counts.mkdir()
        self.with_agent = with_agent
        self.side_by_side = 1

    def start_worker(self, seed):
        self.follower = Follower(self.folder.records)
        self.follower.poll()
        tool = ["valgrind", "--tool=callgrind", "--trace-children=yes", f"--callgrind-out-file={self.counts}/%p", "-q"]
        command = ["env", f"PYTHONHASHSEED={seed}", *tool, *self.around.worker_command("worker-1")]
        self.worker = self.start("worker-1", command, "worker", self.with_agent)

    def tree(self):
        worker = psutil.Process(self.worker.pid)
        return [worker, *worker.children(recursive=True)]

    def runs(self):
        """Whether any of its threads runs now, or waits for a processor."""
        for process in self.tree():
            for stat in Path(f"/proc/{process.pid}/task").glob("*/stat"):
                with suppress(OSError):  # The thread has ended.
                    if stat.read_text(encoding="utf-8").rpartition(")")[2].split()[0] in "RD":
                        return True
        return False

    def finish(self):
        """Wait until the broker holds no job, and the worker, which may have some still, has nothing to do."""
        limit, looks = time.monotonic() + WITHIN_S, deque(maxlen=LOOKS)
        while len(looks) < LOOKS or sum(looks) > LOOKS * IDLE:
            assert time.monotonic() < limit, self.worker.log_tail()
            if self.left():
                looks.clear()
            looks.append(self.runs())
            time.sleep(LOOK_S)

    def counted(self):
        """Instructions so far, by file: of processes that have ended, and of those that live when they are asked."""
        for process in self.tree():
            subprocess.run(["callgrind_control", "-d", str(process.pid)], check=False, capture_output=True)
        return {path: _total(path) for path in self.counts.iterdir()}

    def count(self, warm, jobs):
        """Instructions a job, of so many jobs at each of the starts."""
        return [self.count_start(seed, warm, jobs) for seed in range(1, STARTS + 1)]

    def count_start(self, seed, warm, jobs):
        self.produce(warm)
        self.start_worker(seed)
        self.finish()
        count = self.count_jobs(jobs)
        self.worker.stop(grace_s=0)
        doers = {news.process for news in self.follower.poll() if news.kind is Kind.JOB_RUNNING and news.role == "worker"}
        assert bool(doers) == self.with_agent, "the agent recorded nothing, so this measures nothing"
        self.side_by_side = max(self.side_by_side, len(doers))
        return count

    def count_jobs(self, jobs):
        before = self.counted()
        # The worker finds them all: how many come at a time would else be a matter of chance.
        stopped = self.tree()
        for process in stopped:
            process.suspend()
        self.produce(jobs)
        for process in stopped:
            process.resume()
        self.finish()
        return sum(total for path, total in self.counted().items() if path not in before) / jobs


class Timed(Bench):
    """A worker without the agent whose processor time in user mode is taken."""

    def look(self):
        known = self.since_ns, self.until_ns
        done = super().look()
        if self.since_ns != known[0]:
            self.user_since_s = self.user_s()
        if self.until_ns != known[1]:
            self.user_until_s = self.user_s()
        return done

    def user_s(self):
        """Of each of its processes, those that it has waited for included."""
        worker, user_s = psutil.Process(self.worker.pid), {}
        for process in (worker, *worker.children(recursive=True)):
            with suppress(psutil.Error):
                times = process.cpu_times()
                user_s[process.pid] = times.user + times.children_user
        return user_s

    def share(self, side_by_side):
        """How much of a job's time is user time, where so many of the worker's processes do jobs; and jobs per second."""
        self.jobs = self.alone()
        self.send()
        self.begin(False)
        assert wait_for(self.look, WITHIN_S), self.worker.log_tail()
        user_s = [spent_s - self.user_since_s.get(process, 0) for process, spent_s in self.user_until_s.items()]
        return counts_for_a_job(user_s, side_by_side) / seconds_between(self.since_ns, self.until_ns), self.end()[0]


def counts_for_a_job(user_s, side_by_side):
    """Of the user times of a worker's processes, of which so many do the jobs, all but those that are spent beside the busiest."""
    ordered = sorted(user_s, reverse=True)
    return sum(ordered) - sum(ordered[1:side_by_side])


def _quartiles(counts):
    return statistics.quantiles(counts, n=4, method="inclusive")


def _total(path):
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith(("summary:", "totals:"))), 0)


@pytest.mark.skipif(shutil.which("callgrind_control") is None, reason="there is no valgrind: apt-get install valgrind")
@pytest.mark.parametrize("name", NEWEST)
def test_agent_costs_few_instructions(name, figure, tmp_path):
    warm, jobs = FORKS.get(name, (WARM, JOBS))
    with ExitStack() as stack:
        subject = NEWEST[name].subject_there()
        sides = [Counted(subject, tmp_path / side, stack, side == "agent") for side in ("agent", "plain")]
        with ThreadPoolExecutor(2) as pool:
            agent, plain = pool.map(lambda side: side.count(warm, jobs), sides)
        (tmp_path / "timed").mkdir()
        side_by_side = 1 if name in FORKS else min(sides[0].side_by_side, len(os.sched_getaffinity(0)))
        share, rate = Timed(subject, tmp_path / "timed", stack).share(side_by_side)
    shutil.rmtree(tmp_path, ignore_errors=True)
    how = (
        f"{statistics.median(agent) / 1000:.0f} thousand instructions a job with the agent, {statistics.median(plain) / 1000:.0f} "
        f"without; medians of {STARTS} starts, {jobs} jobs each; in brackets what their quartiles make"
    )
    least, ratio, most = (
        of_agent / of_plain for of_agent, of_plain in zip(_quartiles(agent), _quartiles(plain)[::-1], strict=True)
    )
    within = least, most
    figure(f"{name}: instructions a job with the agent, to without", ratio, 1.03, "", how, within=within)
    who = "the worker" if side_by_side == 1 else f"the busiest of {side_by_side} processes that do jobs"
    how = (
        f"without the agent {share:.0%} of the time is user time of {who}, at {rate:.0f} jobs/s; times what instructions grow by"
    )
    lost, limits = share * (ratio - 1), tuple(share * (one - 1) for one in within)
    figure(f"{name}: jobs/s lost by the agent's instructions, at most", lost, 0.03, "", how, within=limits)
