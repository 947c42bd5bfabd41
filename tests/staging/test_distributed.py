"""A load test on several machines: Locust's master and the run on one, and a Locust worker on each of the others, one of which dies."""

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from jobharness import __version__
from jobharness.history.event import Kind
from jobharness.history.log import load as load_history
from jobharness.processes.ports import free_port
from jobharness.processes.process import wait_for
from jobharness.staging.following import NodesFollower
from jobharness.staging.share import Share, plan_rows
from tests.staging.conftest import NAPS, SCENARIO
from tests.support.leftovers import leftovers
from tests.support.machines import machines

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]
SOON_S = 90
STAGING = """
environment = "staging"
hosts       = ["{address}"]
"""
GATE = """
[gate]
"jobs.lost" = { max = 0 }
"""


class Field:
    """Machines with one project, and what was started on them. The first is the master's, and has the broker."""

    def __init__(self, stack, project, count, duration):
        self._stack, self.project = stack, project
        self.machines = stack.enter_context(machines(count + 1))
        self.address = self.machines[0].address
        self.port, broker = free_port(), free_port()
        (project / "naps.py").write_bytes(NAPS.read_bytes())
        changes = {
            'title = "naps under load"\n': 'title = "naps under load"\n' + STAGING.format(address=self.address),
            'kind = "redis"': f'kind = "redis"\nurl  = "redis://{self.address}:{broker}/0"',
            'duration = "8s"': f'duration = "{duration}"',
        }
        text = SCENARIO + GATE
        for known, wanted in changes.items():
            assert known in text
            text = text.replace(known, wanted)
        (project / "naps.toml").write_text(text, encoding="utf-8")
        redis = shutil.which("redis-server") or str(Path(sys.executable).with_name("redis-server"))
        words = [
            redis,
            "--port",
            str(broker),
            "--bind",
            self.address,
            "--protected-mode",
            "no",
            "--save",
            "",
            "--dir",
            str(project),
        ]
        self._start(self.machines[0], words, "redis.txt")
        assert wait_for(lambda: "Ready to accept connections" in self.said("redis.txt"), SOON_S)

    def _start(self, machine, words, log, folder=None, **env):
        with (self.project / log).open("w", encoding="utf-8") as output:
            process = subprocess.Popen(
                [*machine.prefix, *words],
                cwd=folder or self.project,
                stdout=output,
                stderr=output,
                env={**os.environ, "TMPDIR": str(self.project), **env},
            )
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        return process

    def said(self, log):
        """What a process has printed."""
        return (self.project / log).read_text(encoding="utf-8")

    def master(self, *options, **env):
        """The run."""
        words = [
            sys.executable,
            "-m",
            "jobharness.cli.main",
            "load",
            "naps.toml",
            "--master",
            "--bind",
            f"{self.address}:{self.port}",
        ]
        return self._start(self.machines[0], [*words, *options], "master.txt", **env)

    def join(self, number, folder=None, **env):
        """The node on a machine; `ip netns exec` and the command each become the next, so that its process is the node."""
        words = [sys.executable, "-m", "jobharness.cli.main", "load", "naps.toml", "--join", f"{self.address}:{self.port}"]
        return self._start(self.machines[number], words, f"node-{number}.txt", folder, **{"PYTHONPATH": str(ROOT), **env})

    @property
    def folder(self):
        """Of the run."""
        assert wait_for(lambda: any(self.project.glob("reports/*/records/nodes")), SOON_S), self.said("master.txt")
        return next(self.project.glob("reports/*/records/nodes")).parents[1]

    def await_events(self, kind, count):
        """Wait until so many of a kind were recorded, on any machine."""
        follower, seen = NodesFollower(self.folder / "records"), []

        def enough():
            seen.extend(one.kind for one in follower.poll())
            return seen.count(kind) >= count

        assert wait_for(enough, SOON_S), self.said("master.txt")


@pytest.fixture
def field(tmp_path):
    """Makes the machines; afterwards nothing of the test may be left on them."""
    with ExitStack() as stack:
        yield lambda count, duration: Field(stack, tmp_path, count, duration)
    assert wait_for(lambda: leftovers(str(tmp_path)) == [], 10), leftovers(str(tmp_path))


def share_of(field, number):
    """Which share the node on a machine has, by what it printed."""
    return int(field.said(f"node-{number}.txt").partition(" as locust-")[2].partition(" ")[0])


def begun_by(history):
    """The intended moment of each job, by the node that sent it."""
    names, found = history.processes["name"], {}
    for row in history.of(Kind.ENQUEUE_BEGIN).collect().iter_rows(named=True):
        found.setdefault(names[row["process"]].partition("/")[0], []).append(row["value"])
    return found


def test_node_that_is_killed_leaves_its_own_jobs_unknown_and_the_others_are_decided(field):
    field = field(4, "16s")
    run = field.master("--expect-workers", "4")
    nodes = {number: field.join(number) for number in range(1, 5)}
    field.await_events(Kind.ENQUEUE_BEGIN, 60)
    lost = share_of(field, 2)
    nodes[2].send_signal(signal.SIGKILL)
    folder = field.folder
    assert run.wait(SOON_S) == 3, field.said("master.txt")
    whole = {number: nodes[number].wait(SOON_S) for number in (1, 3, 4)}
    assert whole == {1: 0, 3: 0, 4: 0}, [field.said(f"node-{number}.txt") for number in whole]

    said = field.said("master.txt")
    rows = {
        line.split()[0]: line.split()[-1]
        for line in said.splitlines()
        if line.startswith(("master ", "locust-")) and "joined" not in line
    }
    ends = {f"locust-{number}": "vanished" if number == lost else "whole" for number in range(1, 5)}
    assert rows == {"master": "whole", **ends}
    assert f"locust-{lost}" in (folder / "report.html").read_text(encoding="utf-8")
    verdict = json.loads((folder / "verdict.json").read_text(encoding="utf-8"))
    words = {found["contract"]: found["word"] for found in verdict["findings"]}
    assert words.pop("observed") == "unknown"
    # What its last moments' jobs came to nobody but the node could tell.
    phantoms = words.pop("no_phantoms")
    assert phantoms == "holds" or f"only locust-{lost} could tell" in said
    assert words == {"faults_hit": "holds", "at_least_once": "holds", "recovery": "holds"}

    history = load_history(folder / "history.parquet")
    sent = begun_by(history)
    for number in range(1, 5):
        planned = len(list(plan_rows(folder / "plan.jsonl", Share(number, 4))))
        if number == lost:
            assert 0 < len(sent[f"locust-{number}"]) < planned
        else:
            assert len(sent[f"locust-{number}"]) == planned
    bounds = {node.name: node.bound_ns for node in history.nodes}
    assert bounds.pop("master") == 0 and all(0 < bound < 50_000_000 for bound in bounds.values())
    assert not (folder / "records").exists()


def test_node_of_another_version_is_refused_and_an_abort_stops_the_others(field, tmp_path_factory):
    field = field(3, "5m")
    run = field.master("--expect-workers", "1")
    other = tmp_path_factory.mktemp("other")
    shutil.copytree(ROOT / "jobharness", other / "jobharness", ignore=shutil.ignore_patterns("__pycache__"))
    init = other / "jobharness" / "__init__.py"
    init.write_text(init.read_text(encoding="utf-8").replace('__version__ = "', '__version__ = "9.'), encoding="utf-8")
    stranger = field.join(1, PYTHONPATH=str(other))
    assert stranger.wait(SOON_S) == 2
    (line,) = field.said("node-1.txt").splitlines()
    assert line == (
        f"error: the master at {field.address}:{field.port} refused this node: it has jobharness 9.{__version__}, and the master "
        f"jobharness {__version__}; use one version on all machines"
    )
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    shutil.copy(field.project / "naps.toml", elsewhere)
    assert field.join(2, folder=elsewhere).wait(SOON_S) == 2
    assert field.said("node-2.txt").startswith("error: the app 'naps:app' could not be imported (ModuleNotFoundError")
    node = field.join(2)
    field.await_events(Kind.JOB_FINISHED, 10)
    late = field.join(3)
    assert late.wait(SOON_S) == 2 and "refused this node: every share is taken (--expect-workers 1)" in field.said("node-3.txt")
    folder = field.folder
    (folder / "ABORT").write_text("the test\n", encoding="utf-8")
    assert run.wait(SOON_S) == 3 and node.wait(SOON_S) == 3
    assert "cannot take part: the app 'naps:app' could not be imported" in field.said("master.txt")
    assert "refused a node on" in field.said("master.txt") and f"it has jobharness 9.{__version__}" in field.said("master.txt")
    assert "it ended before this node had sent its share" in field.said("node-2.txt")
    history = load_history(folder / "history.parquet")
    assert [(one.name, one.vanished) for one in history.nodes] == [("master", False), ("locust-1", False)]
    planned = sum(1 for _ in plan_rows(folder / "plan.jsonl", Share(1, 1)))
    assert 10 <= len(begun_by(history)["locust-1"]) < planned


SLOW_MASTER = """
import sys
import gevent
from locust.rpc import Message, rpc
from jobharness.clock import now_ns
from jobharness.staging.messages import BEAT, FAREWELL, HELLO, WELCOME

server = rpc.Server("127.0.0.1", int(sys.argv[1]))

def answer(client, msg):
    if msg.type == HELLO:
        server.send_to_client(Message(WELCOME, {"number": 1, "of": 1, "header": {}, "env": {}}, client))
    elif msg.type == BEAT:
        gevent.sleep(2.5)  # On its way.
        came_ns = now_ns()
        words = {"clock": [msg.data["sent_ns"], came_ns, came_ns], "start_ns": None, "over": False}
        server.send_to_client(Message(BEAT, words, client))
    elif msg.type == FAREWELL:
        print(msg.data["why"], flush=True)

while True:
    gevent.spawn(answer, *server.recv_from_client())
"""


def test_node_whose_clock_cannot_be_told_well_enough_does_not_join(environment, tmp_path):
    port = free_port()
    words = [sys.executable, "-c", SLOW_MASTER, str(port)]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as master:
        try:
            words = [sys.executable, "-m", "jobharness.cli.main", "load", "naps.toml", "--join", f"127.0.0.1:{port}"]
            done = subprocess.run(
                words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=SOON_S, check=False
            )
            said = master.stdout.readline()
        finally:
            master.kill()
    (line,) = done.stderr.splitlines()
    assert done.returncode == 3 and line.startswith("error: node locust-1: its clock is known to ± 1.2")
    assert "and 1 s is allowed" in line and said.startswith("its clock is known to ± 1.2")
