"""Workers that jobharness did not start, on nodes whose clocks have nothing in common, one of which dies with all that is on it."""

import os
import shutil
import signal
import subprocess
import sys
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import redis

from jobharness.contracts.at_least_once import AtLeastOnce
from jobharness.contracts.at_most_once import AtMostOnce
from jobharness.contracts.contract import Word, judge
from jobharness.contracts.deadline import Deadline
from jobharness.contracts.lease import Lease
from jobharness.contracts.no_phantoms import NoPhantoms
from jobharness.errors import BrokerFailed
from jobharness.history import log
from jobharness.history.event import Kind
from jobharness.processes.ports import free_port
from jobharness.processes.process import wait_for
from jobharness.queues.celery_results import CeleryResults
from jobharness.runner.surroundings import AGENT_PATH
from jobharness.staging.collector import Collector
from jobharness.staging.nodes import NodeFile, gather, read_node, write_node
from jobharness.staging.outside import Outside
from tests.support.redis_server import redis_server
from tests.support.require import missing
from tests.support.shippers import processes_with

pytestmark = pytest.mark.real

APP = Path(__file__).parents[1] / "runs" / "apps"
APPS = Path(__file__).parent / "apps"
AHEAD_S = 100_000
WORKER = [
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
SEND = "from naps import nap\nfor _ in range({}): nap.delay(0.05)"
SOON_S = 60


class Deployment:
    """A collector, a Redis, and what runs on each node: the agent is in it by environment alone."""

    def __init__(self, stack, folder):
        self.stack, self.folder = stack, folder
        self.all = folder / "all"
        self.url = stack.enter_context(redis_server(folder, free_port()))
        self.client = stack.enter_context(redis.Redis.from_url(self.url))
        # Another address of this machine than the nodes' own.
        self.collector = stack.enter_context(Collector(self.all, "127.0.0.2"))
        write_node(self.all / "master", NodeFile.here("master", master=True).as_ended())

    def start(self, node, role, *words, ahead_s=0, app=APP):
        """A Python process on a node whose clock is so far ahead."""
        own = self.folder / f"records of {node}"
        own.mkdir()
        environ = {
            "PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join([str(AGENT_PATH), str(app)]), "CELERY_BROKER_URL": self.url,
            "JOBHARNESS_HISTORY": str(own), "JOBHARNESS_LIBRARY": "celery", "JOBHARNESS_ROLE": role, "JOBHARNESS_NAME": f"{role}-1",
            "JOBHARNESS_SHIP": self.collector.address, "JOBHARNESS_NODE": node,
        }  # fmt: skip
        elsewhere = ["unshare", "--time", "--monotonic", str(ahead_s), "--fork", "--kill-child"] if ahead_s else []
        process = subprocess.Popen([*elsewhere, sys.executable, *words], env=environ, cwd=self.folder)
        self.stack.callback(process.wait)
        self.stack.callback(self.kill, node)
        return process

    def start_unseen(self, *words):
        """A Python process in which there is no agent."""
        environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(APPS), "CELERY_BROKER_URL": self.url}
        process = subprocess.Popen([sys.executable, *words], env=environ, cwd=self.folder)
        self.stack.callback(process.wait)
        self.stack.callback(process.kill)
        return process

    def kill(self, node):
        """As if the machine had lost its power: everything that is on the node is gone at once."""
        for process in processes_with(f"JOBHARNESS_SHIP={self.collector.address}"):
            if process in processes_with(f"JOBHARNESS_NODE={node}"):
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)

    def arrived(self, node, kind):
        """How many events of a kind the collector has of a node."""
        history = gather_one(self.all / node)
        return len(history.columns.rows(kind)) if history is not None else 0


def gather_one(folder):
    """What arrived of one node by now; None where nothing did."""
    return log.gather(folder, {}) if any(folder.glob("*.rec")) else None


@pytest.fixture
def deployment(tmp_path):
    with ExitStack() as stack:
        yield Deployment(stack, tmp_path)


@pytest.fixture
def other_clocks():
    """Linux can give a process a monotonic clock of its own; whoever runs the test must be allowed to."""
    tried = (
        shutil.which("unshare")
        and subprocess.run(["unshare", "--time", "--monotonic", "1", "--fork", "true"], check=False).returncode
    )
    if tried != 0:
        missing("no time namespaces here: unshare --time failed")


def test_three_nodes_with_clocks_of_their_own_one_of_which_dies(deployment, other_clocks):
    jobs = 60
    deployment.start("west", "worker", *WORKER, ahead_s=AHEAD_S)
    assert wait_for(lambda: deployment.arrived("west", Kind.WORKER_READY), SOON_S)
    deployment.start("shop", "producer", "-c", SEND.format(jobs), ahead_s=7)
    assert wait_for(lambda: deployment.arrived("west", Kind.JOB_FINISHED) >= 5, SOON_S)
    deployment.kill("west")
    east = deployment.start("east", "worker", *WORKER)
    assert wait_for(lambda: deployment.arrived("east", Kind.JOB_FINISHED) and deployment.client.llen("celery") == 0, SOON_S)
    east.send_signal(signal.SIGTERM)
    assert deployment.collector.wait_until_ended({"east", "shop"}, SOON_S)

    history = gather(deployment.all)
    nodes = {node.name: node for node in history.nodes}
    assert {name: node.vanished for name, node in nodes.items()} == {"master": False, "east": False, "shop": False, "west": True}
    for name, ahead_s in (("west", AHEAD_S), ("shop", 7), ("east", 0)):
        assert abs(nodes[name].offset_ns + ahead_s * 10**9) <= nodes[name].bound_ns < 50_000_000, name
    assert history.jobs.height == jobs == nodes["shop"].jobs
    enqueued, begun = history.tally.first_ns(Kind.ENQUEUE_BEGIN), history.tally.first_ns(Kind.JOB_RUNNING)
    open_ns = nodes["west"].bound_ns + nodes["shop"].bound_ns
    assert (begun >= enqueued - open_ns).all()

    verdict = judge(history, [AtLeastOnce(), AtMostOnce(), NoPhantoms(), Lease(), Deadline(120.0)])
    words = {finding.contract: finding.word for finding in verdict.findings}
    # The job under way when west died, and those it had fetched, are west's alone to tell of; the others are decided.
    assert words["at_least_once"] is Word.UNKNOWN and "only west could tell" in verdict["at_least_once"].sentence
    assert 1 <= len(verdict["at_least_once"].jobs) <= 6
    assert words["at_most_once"] is words["no_phantoms"] is words["lease"] is Word.HOLDS


SEND_ANSWERING = """
from answering import add, refuse, whisper
for n in range(30): add.delay(n, 1)
refuse.delay()
for n in range({whispers}): whisper.delay()
"""
ANSWERING = [word.replace("naps:app", "answering:app") for word in WORKER]


@pytest.mark.parametrize(
    ("whispers", "lost", "word", "sentence"),
    [
        (0, 0, Word.HOLDS, "all 31 acknowledged jobs were completed (1 of them dead by their own exception)"),
        (0, 1, Word.BROKEN, "1 of 31 acknowledged jobs were lost"),
        (5, 0, Word.UNKNOWN, "of its task no completion was ever seen from outside"),
    ],
)
def test_completions_are_observed_where_no_agent_may_run(deployment, whispers, lost, word, sentence):
    deployment.start("shop", "producer", "-c", SEND_ANSWERING.format(whispers=whispers), app=APPS)
    assert deployment.collector.wait_until_ended({"shop"}, SOON_S)
    for _ in range(lost):
        deployment.client.rpop("celery")  # The first; as a queue does that loses a job.
    results = CeleryResults(deployment.url)
    with Outside(deployment.all, results):
        deployment.start_unseen(*ANSWERING)
        done = 31 - lost
        assert wait_for(lambda: len(list(deployment.client.scan_iter("celery-task-meta-*", count=1000))) == done, SOON_S)
        assert wait_for(lambda: deployment.client.llen("celery") == 0, SOON_S)
    results.close()
    history = gather(deployment.all)
    assert [node.name for node in history.nodes] == ["master", "outside", "shop"]
    assert history.tally.count(Kind.JOB_FINISHED).sum() == 30 - lost and history.tally.count(Kind.JOB_DEAD).sum() == 1
    verdict = judge(history, [AtLeastOnce(), AtMostOnce(), Lease(), Deadline(120.0)])
    found = verdict["at_least_once"]
    assert (found.word, sentence in found.sentence) == (word, True), found.sentence
    for contract in ("at_most_once", "lease"):
        assert verdict[contract].word is Word.UNKNOWN and "nobody could see" in verdict[contract].sentence
    if word is Word.HOLDS:
        assert verdict["deadline"].word is Word.HOLDS


def test_backend_that_goes_away_makes_the_observer_a_vanished_node(deployment):
    class Gone:
        def new(self):
            raise BrokerFailed("the broker did not answer")

    with pytest.raises(BrokerFailed), Outside(deployment.all, Gone()):
        pass
    assert not read_node(deployment.all / "outside").ended
