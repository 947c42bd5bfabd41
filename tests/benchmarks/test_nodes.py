"""What shipping records to a master costs a worker, and how long the histories of several nodes take to merge."""

import json
import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path

from jobharness.processes.ports import free_port
from jobharness.processes.process import wait_for
from jobharness.staging.collector import Collector
from tests.benchmarks.intervals import median_within
from tests.benchmarks.merging import NODES, SHARED
from tests.benchmarks.test_worker import Worker
from tests.support.redis_server import redis_server
from tests.support.shippers import shipper_of

PROJECT = Path(__file__).parents[2]
JOBS = 1_000_000
PAIRS = 80
TURN_S = 0.3  # Several looks of the shipper at its files.


class Shipping(Worker):
    """A worker whose shipper has its turns with it."""

    def __init__(self, url, folder, ship):
        self.shipper = None
        super().__init__(url, True, folder, TURN_S, **({"JOBHARNESS_SHIP": ship, "JOBHARNESS_NODE": "east"} if ship else {}))

    def signal(self, number):
        super().signal(number)
        if self.shipper is not None:
            os.kill(self.shipper, number)

    def cpu_ns(self):
        """That of both."""
        of_shipper = int(Path(f"/proc/{self.shipper}/schedstat").read_text().split()[0]) if self.shipper is not None else 0
        return super().cpu_ns() + of_shipper

    def find_shipper(self, folder):
        """From now on it stops and goes on with the worker."""
        self.shipper = shipper_of(folder)
        os.kill(self.shipper, signal.SIGSTOP)


def test_worker_whose_records_are_shipped_keeps_its_jobs_per_second(figure, tmp_path):
    with ExitStack() as stack:
        collector = stack.enter_context(Collector(tmp_path / "all"))
        workers = {}
        for ships in (True, False):
            folder = tmp_path / f"ships-{ships}"
            folder.mkdir()
            url = stack.enter_context(redis_server(folder, free_port()))
            workers[ships] = Shipping(url, folder, collector.address if ships else "")
            stack.callback(workers[ships].end)
        workers[True].find_shipper(tmp_path / "ships-True")
        ratios, cpu_ratios, alone = [], [], []
        for pair in range(PAIRS):
            # A B, B A, A B ...: a machine that grows slower favours neither.
            seen = {ships: workers[ships].turn() for ships in ((True, False) if pair % 2 else (False, True))}
            ratios.append(seen[True][0] / seen[False][0])
            cpu_ratios.append(seen[True][1] / seen[False][1])
            alone.append(seen[False][0])
        workers[True].signal(signal.SIGCONT)
        recorded = sum(path.stat().st_size > 0 for path in (tmp_path / "ships-True").glob("*.rec"))
        # It must have kept up, or it is not what was measured.
        assert wait_for(lambda: len(list((tmp_path / "all" / "east").glob("*.rec"))) >= recorded, 60)
    how = (
        f"Celery {version('celery')}, solo pool, jobs that do nothing, recorded by both; one's records are shipped to a collector on the "
        f"same machine; turns of {TURN_S:g} s, median of {PAIRS} pairs; unshipped {median_within(alone)[0]:.0f} jobs/s"
    )
    value, within = median_within(ratios)
    figure(
        "jobs/s of a worker whose records are shipped, to one whose are not", value, 0.95, "", how, at_least=True, within=within
    )
    value, within = median_within(cpu_ratios)
    how = "the same turns by the processor time of worker and shipper together, which other work on the machine disturbs less"
    figure("the same, jobs per second of processor time", value, 0.95, "", how, at_least=True, within=within)


def measured(what, folder):
    """One measurement in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.merging", what, str(folder), str(JOBS)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def test_histories_of_four_nodes_are_merged(figure, tmp_path):
    measured("make", tmp_path)
    merging, judging = measured("merge", tmp_path), measured("judge", tmp_path)
    how = (
        f"{NODES} histories of {JOBS:,} jobs, {SHARED:.0%} of them told of by two nodes: {merging['events']:,} events of "
        f"{merging['jobs']:,} jobs, from and to memory; {merging['cpu_s']:.1f} s of processor time; four contracts in all worlds of their "
        f"clocks take another {judging['wall_s']:.0f} s"
    )
    figure("merging the histories of four nodes", merging["wall_s"], 20.0, "s", how)
    figure(
        "memory for it",
        merging["peak_bytes"] / 1e9,
        4.0,
        "GB",
        f"peak of the process; {merging['loaded_bytes'] / 1e9:.1f} GB before",
    )
