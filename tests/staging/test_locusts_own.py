"""A locustfile with JobUser in Locust's own master and workers, each a node that ships what it records."""

import json
import os
import subprocess
import sys
from contextlib import ExitStack

import pytest

from jobharness.contracts.at_least_once import AtLeastOnce
from jobharness.contracts.contract import Word, judge
from jobharness.contracts.no_phantoms import NoPhantoms
from jobharness.history.event import Kind
from jobharness.processes.ports import free_port
from jobharness.processes.process import wait_for
from jobharness.runner.surroundings import AGENT_PATH
from jobharness.staging.collector import Collector
from jobharness.staging.nodes import NodeFile, gather, write_node

pytestmark = pytest.mark.real

SOON_S = 90
JOBS = 60
OWN = f"""
import gevent
from locust import constant, events, task
from jobharness.staging import JobUser

class Napper(JobUser):
    scenario = "naps.toml"
    wait_time = constant(0.05)

    @task
    def nap(self):
        self.enqueue("naps.nap", 0.001)

def end_after_enough(environment, **_):
    def watch():
        while environment.stats.total.num_requests < {JOBS}:
            gevent.sleep(0.1)
        environment.runner.quit()
    if environment.parsed_options.master:
        gevent.spawn(watch)

events.init.add_listener(end_after_enough)
"""
WORKER = [
    "-m",
    "celery",
    "-A",
    "naps:app",
    "worker",
    "--pool",
    "solo",
    "--without-gossip",
    "--without-mingle",
    "--loglevel",
    "ERROR",
]


def test_job_users_of_locusts_own_workers_are_nodes_whose_histories_are_merged(environment, tmp_path, redis_url):
    (tmp_path / "locustfile.py").write_text(OWN, encoding="utf-8")
    with ExitStack() as stack:
        collector = stack.enter_context(Collector(tmp_path / "all"))
        write_node(tmp_path / "all" / "master", NodeFile.here("master", master=True).as_ended())

        def start(node, *words, **env):
            own = tmp_path / f"records of {node}"
            own.mkdir()
            told = {"CELERY_BROKER_URL": redis_url, "JOBHARNESS_HISTORY": str(own), "JOBHARNESS_NODE": node}
            told |= {"JOBHARNESS_SHIP": collector.address, **env}
            log = stack.enter_context((tmp_path / f"{node}.txt").open("w", encoding="utf-8"))
            process = subprocess.Popen(
                [sys.executable, *words], cwd=tmp_path, env={**environment, **told}, stdout=log, stderr=log
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process

        agent = {"PYTHONPATH": os.pathsep.join([str(AGENT_PATH), environment["PYTHONPATH"]]), "JOBHARNESS_LIBRARY": "celery"}
        shop = start("shop", *WORKER, JOBHARNESS_ROLE="worker", JOBHARNESS_NAME="worker-1", **agent)
        port = str(free_port())
        words = ["-m", "locust", "--headless", "-u", "4", "-r", "4", "--json", "--only-summary", "--master"]
        words += ["--master-bind-host", "127.0.0.1", "--master-bind-port", port, "--expect-workers", "2"]
        master = subprocess.Popen(
            [sys.executable, *words], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        stack.callback(master.wait)
        stack.callback(master.kill)
        for node in ("east", "west"):
            start(node, "-m", "locust", "--worker", "--master-host", "127.0.0.1", "--master-port", port)
        told, _ = master.communicate(timeout=SOON_S)
        assert master.returncode == 0
        assert collector.wait_until_ended({"east", "west"}, SOON_S), [
            (tmp_path / f"{node}.txt").read_text() for node in ("east", "west")
        ]

        def finished():
            history = gather(tmp_path / "all")
            done, sent = (len(history.columns.rows(kind)) for kind in (Kind.JOB_FINISHED, Kind.ENQUEUE_ACKNOWLEDGED))
            return done >= sent > 0

        assert wait_for(finished, SOON_S)
        shop.terminate()
        assert collector.wait_until_ended({"shop"}, SOON_S)
    (line,) = json.loads(told)
    assert (line["method"], line["name"], line["num_failures"]) == ("JOB", "nap enqueue", 0) and line["num_requests"] >= JOBS
    history = gather(tmp_path / "all")
    assert [(node.name, node.vanished) for node in history.nodes] == [
        (name, False) for name in ("master", "east", "shop", "west")
    ]
    sent = {node.name: node.jobs for node in history.nodes}
    assert sent["east"] > 0 and sent["west"] > 0 and sent["shop"] >= line["num_requests"]
    verdict = judge(history, [AtLeastOnce(), NoPhantoms()])
    assert {finding.contract: finding.word for finding in verdict.findings} == {
        "at_least_once": Word.HOLDS,
        "no_phantoms": Word.HOLDS,
    }
