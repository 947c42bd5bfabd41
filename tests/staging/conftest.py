"""A small project under load: naps on Celery and Redis, sent by real Locust processes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jobharness.history.follow import Follower
from jobharness.processes.ports import free_port
from jobharness.processes.process import wait_for
from tests.support.leftovers import leftovers
from tests.support.redis_server import redis_server

ROOT = Path(__file__).parents[2]
NAPS = ROOT / "tests" / "runs" / "apps" / "naps.py"

# Each message to the broker takes 30 ms: enqueues overlap, and take turns in the middle.
SCENARIO = """
title = "naps under load"

[queue]
adapter   = "celery"
app       = "naps:app"
pool      = "threads"
concurrency = 4
arguments = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
env       = { CELERY_BROKER_URL = "{broker.url}" }

[broker]
kind = "redis"

[workload]
arrivals = { process = "constant", rate = "40/s" }
duration = "8s"

[[workload.job]]
task = "naps.nap"
args = [0.01]

[[fault]]
kind   = "latency"
by     = "30ms"
target = "all"
at     = "0s"

[contract]
delivery = "at-least-once"
recovery = "20s"
"""


class Load:
    """One `jobharness load`, started in a project of its own."""

    def __init__(self, project, *options, control=False):
        (project / "naps.py").write_bytes(NAPS.read_bytes())
        (project / "naps.toml").write_text(("control = true\n" if control else "") + SCENARIO, encoding="utf-8")
        self.project = project
        command = [sys.executable, "-m", "jobharness.cli.main", "load", "naps.toml", *options]
        with (project / "output.txt").open("w", encoding="utf-8") as log:
            self.process = subprocess.Popen(command, cwd=project, stdout=log, stderr=log, start_new_session=True)

    @property
    def folder(self):
        """Of its run."""
        assert wait_for(lambda: any(self.project.glob("reports/*/logs")), 60), self.output
        return next(self.project.glob("reports/*/logs")).parent

    @property
    def output(self):
        """What it has printed."""
        return (self.project / "output.txt").read_text(encoding="utf-8")

    def await_events(self, kind, count):
        """Wait until so many events of a kind were recorded; returns every event until then."""
        follower, seen = Follower(self.folder / "records"), []

        def enough():
            seen.extend(follower.poll())
            return sum(one.kind is kind for one in seen) >= count

        assert wait_for(enough, 90), self.output
        return seen

    def ended(self, within_s=120):
        """Its exit code, and what `verdict.json` says, by contract."""
        folder = self.folder
        code = self.process.wait(within_s)
        verdict = json.loads((folder / "verdict.json").read_text(encoding="utf-8"))
        return code, {finding["contract"]: finding for finding in verdict["findings"]}


@pytest.fixture
def load(tmp_path):
    """Starts `jobharness load` with these options; afterwards nothing of it may be left."""
    started = []

    def start(*options, **further):
        started.append(Load(tmp_path, *options, **further))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.terminate()
            one.process.wait(60)
    assert wait_for(lambda: leftovers(str(tmp_path)) == [], 10), leftovers(str(tmp_path))


@pytest.fixture
def redis_url(tmp_path):
    """Of a server of the test."""
    with redis_server(tmp_path, free_port()) as url:
        yield url


@pytest.fixture
def environment(tmp_path):
    """The environment of a Locust that a person starts in the project."""
    (tmp_path / "naps.py").write_bytes(NAPS.read_bytes())
    (tmp_path / "naps.toml").write_text(SCENARIO, encoding="utf-8")
    return {**os.environ, "PYTHONPATH": str(ROOT)}
