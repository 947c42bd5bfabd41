"""Real runs, kept small: a second of workload on real workers and a real broker."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from jobharness.harness import Harness
from jobharness.processes.disk import may_mount
from jobharness.processes.process import wait_for
from jobharness.scenario.load import scenario_from
from tests.support.leftovers import leftovers, mounts_in

GONE_WITHIN_S = 10
APPS = Path(__file__).parent / "apps"


@pytest.fixture
def project(tmp_path):
    """A project of its own with the tests' apps; every process of a run of it has this path in its environment."""
    for app in APPS.glob("*.py"):
        (tmp_path / app.name).write_bytes(app.read_bytes())
    return tmp_path


@pytest.fixture
def scenario():
    """Makes a small scenario: naps on one solo worker. Keyword arguments are laid over its parts."""

    def make(title="naps", queue=None, broker=None, workload=None, **parts):
        plain = {
            "title": title,
            "queue": {
                "adapter": "celery",
                "app": "naps:app",
                "pool": "solo",
                "arguments": ["--without-gossip", "--without-mingle", "--without-heartbeat"],  # Seconds of each start.
                "env": {"CELERY_BROKER_URL": "{broker.url}"},
                "restart_delay": "10ms",
            },
            "broker": {"kind": "redis"},
            "workload": {
                "arrivals": {"process": "constant", "rate": "20/s"},
                "duration": "1s",
                "job": [{"task": "naps.nap", "args": [0.02]}],
            },
            "contract": {"delivery": "at-least-once", "recovery": "2s"},
        }
        for name, changes in (("queue", queue), ("broker", broker), ("workload", workload)):
            plain[name].update(changes or {})
        if plain["queue"]["pool"] is None:
            del plain["queue"]["pool"]
        return scenario_from({**plain, **parts}, "a test")

    return make


@pytest.fixture
def run(project):
    """Runs a scenario in this process and returns its result; afterwards nothing of it may be left."""

    def run_once(scenario, progress=None, **changes):
        try:
            return Harness(project, progress=progress).run(scenario, **changes)
        finally:
            assert leftovers(str(project)) == []

    return run_once


@pytest.fixture
def start(project, written, scenario):
    """Starts `jobharness run` on a scenario with everything in it: broker, proxy, upstream, service, two workers with pools, a
    producer, and a fault of each family, most of them open at once."""
    started = []
    mounts = [{"kind": "disk", "size": "32MB", "every": "1500ms", "times": "always", "for": "500ms"}] if may_mount() else []
    busy = scenario(
        queue={"pool": "prefork", "concurrency": 2, "workers": 2},
        upstream={"latency": "5ms", "hosts": ["https://api.example.com"]},
        service={"command": ["python", "-m", "front", "{service.port}"], "health": "/"},
        workload={
            "arrivals": {"process": "poisson", "rate": "30/s"},
            "duration": "4s",
            "job": [{"task": "naps.nap", "args": [0.05]}, {"post": "/naps"}],
        },
        fault=[
            {"kind": "kill", "on": "job.running", "every": "1500ms", "times": 2},
            {"kind": "pause", "on": "job.running", "nth": 5, "every": "2500ms", "times": "always", "for": "2s"},
            {"kind": "latency", "at": "0s", "by": "20ms"},
            {"kind": "upstream", "at": "0s", "answer": 429},
            {"kind": "clock", "at": "200ms", "jump": "1h"},
            {"kind": "task", "action": "hang", "at": "500ms", "hits": 2, "for": "2s"},
            *mounts,
        ],
    )
    name = written(busy)

    def start_harness(reports="reports"):
        command = [sys.executable, "-m", "jobharness.cli.main", "run", name, "--reports", reports]
        harness = subprocess.Popen(
            command, cwd=project, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        started.append(harness)
        return harness

    yield start_harness
    for harness in started:
        if harness.poll() is None:
            harness.kill()
        harness.wait()
    assert wait_for(lambda: not leftovers(str(project)), GONE_WITHIN_S)
    assert not mounts_in(project)


@pytest.fixture
def written(project):
    """Writes a scenario as a TOML file of the project (JSON is close enough to TOML to be turned into it) and returns its name."""

    def write(scenario, name="scenario.toml"):
        (project / name).write_text(_toml(scenario.model_dump(mode="json", exclude_unset=True, by_alias=True)), encoding="utf-8")
        return name

    return write


def _toml(table):
    def value(given):
        if isinstance(given, dict):
            return "{ " + ", ".join(f"{json.dumps(key)} = {value(inner)}" for key, inner in given.items()) + " }"
        if isinstance(given, list):
            return "[" + ", ".join(map(value, given)) + "]"
        return json.dumps(given)

    return "".join(f"{key} = {value(given)}\n" for key, given in table.items())
