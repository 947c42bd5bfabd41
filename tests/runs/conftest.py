"""Real runs, kept small: a second of workload on real workers and a real broker."""

import json
from pathlib import Path

import pytest

from jobharness.harness import Harness
from jobharness.scenario.load import scenario_from
from tests.support.leftovers import leftovers

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
