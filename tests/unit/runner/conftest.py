"""A run's parts without a run: a queue whose workers are plain Python, so that a fleet can be watched by itself."""

import sys
from pathlib import Path

import pytest

from jobharness.runner.folder import new_folder
from jobharness.runner.parts import Parts
from jobharness.runner.surroundings import Surroundings
from jobharness.scenario.load import scenario_from


class CodeQueue:
    """A queue whose workers run a piece of Python."""

    library, brokers = "code", ()

    def __init__(self, code):
        self.code = code

    def worker_command(self, python, name):
        return [str(python), "-c", self.code]

    def agent_library(self):
        return ""


@pytest.fixture
def folder(tmp_path):
    """The folder of a run."""
    return new_folder(tmp_path / "reports", "A run")


@pytest.fixture
def make_parts(tmp_path):
    """Parts with a queue of the given code, and changes to [queue]."""

    def make(code="", **queue):
        plain = {
            "title": "parts",
            "queue": {"adapter": "celery", "app": "shop:app", **queue},
            "broker": {"kind": "redis"},
            "workload": {"arrivals": {"rate": 1.0}, "duration": 1.0, "job": [{"task": "charge"}]},
        }
        scenario = scenario_from(plain, "test")
        return Parts(scenario, None, tmp_path, CodeQueue(code), None, (), ())

    return make


@pytest.fixture
def make_surroundings(make_parts, folder):
    """Surroundings of such parts."""

    def make(code="", places=None, **queue):
        return Surroundings(make_parts(code, **queue), folder, {"broker.url": "redis://here", **(places or {})})

    return make


@pytest.fixture
def python():
    """This interpreter."""
    return Path(sys.executable)
