"""`jobharness load --join`: becomes a Locust worker of a load test whose run is on another machine."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from jobharness.catalog import queue_kind
from jobharness.errors import InvalidRequest
from jobharness.runner.guard import Guard
from jobharness.runner.surroundings import AGENT_PATH, app_folder, interpreter
from jobharness.scenario.load import load_scenario
from jobharness.scenario.model import Scenario
from jobharness.staging.load import check_environment, check_load

__all__ = ["Join", "host_and_port"]

LOCUSTFILE = Path(__file__).resolve().parent / "joined.py"


def host_and_port(option: str, text: str) -> tuple[str, int]:
    """Of HOST:PORT. Raises: InvalidRequest."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 1 <= int(port) <= 65535:
        raise InvalidRequest(f"{option}: {text!r} is not HOST:PORT, such as 10.0.0.5:5557")
    return host, int(port)


@dataclass(frozen=True)
class Join:
    """Which load test is joined: of this scenario, at this address of its master."""

    scenario: Path
    host: str
    port: int

    def become_worker(self) -> NoReturn:
        """Turn this process into a Locust worker of the app's environment, with the agent in it.

        Raises: InvalidRequest where the scenario does not allow it, or such a load cannot be; ExtraMissing, LibraryMissing.
        """
        scenario = load_scenario(self.scenario)
        guard = Guard(scenario, str(self.scenario))
        guard.check()
        guard.check_url("--join", f"{self.host}:{self.port}")
        check_load(scenario)
        python = interpreter(Path.cwd(), scenario.queue.python)
        check_environment(python)
        app = app_folder(Path.cwd(), scenario.queue.folder)
        folder = Path(tempfile.mkdtemp(prefix="jobharness-node-"))
        locust = [str(python), "-m", "locust", "-f", str(LOCUSTFILE), "--loglevel", "WARNING"]
        sys.stdout.flush()
        sys.stderr.flush()
        env = self._environment(scenario, python, folder)
        os.chdir(app)
        os.execve(python, [*locust, "--worker", "--master-host", self.host, "--master-port", str(self.port)], env)

    def _environment(self, scenario: Scenario, python: Path, folder: Path) -> Mapping[str, str]:
        queue = scenario.queue
        asked = {"scenario": str(self.scenario.resolve()), "host": self.host, "port": self.port}
        return {
            **os.environ,
            "PATH": os.pathsep.join([str(python.parent), os.environ.get("PATH", "")]),
            "PYTHONUNBUFFERED": "1",
            "PYTHONPATH": os.pathsep.join(filter(None, [str(AGENT_PATH), os.environ.get("PYTHONPATH", "")])),
            "JOBHARNESS_JOIN": json.dumps(asked),
            "JOBHARNESS_HISTORY": str(folder),
            "JOBHARNESS_ROLE": "producer",
            "JOBHARNESS_NAME": "producer",
            "JOBHARNESS_LIBRARY": queue_kind(queue.adapter)(queue).agent_library(),
            "JOBHARNESS_APP": queue.app,
            "JOBHARNESS_METHODS": json.dumps(queue.methods),
            "JOBHARNESS_SETTINGS": json.dumps(queue.settings),
        }
