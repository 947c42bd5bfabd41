"""A user's project in a few files: a Celery app with two tasks, and scenarios that take seconds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

APP = """
import os
import time

from celery import Celery

app = Celery("tiny", broker=os.environ.get("BROKER_URL", "redis://127.0.0.1:1/0"))
app.conf.task_ignore_result = True
app.conf.broker_connection_retry_on_startup = True


@app.task
def quick():
    pass


@app.task
def slow():
    time.sleep(0.3)
"""

SCENARIO = """
title = "A tiny scenario"
seed = 5

[queue]
adapter = "celery"
app = "tiny:app"
pool = "solo"
arguments = ["--without-gossip", "--without-mingle"]
env = { BROKER_URL = "{broker.url}" }
restart_delay = "0ms"

[broker]
kind = "redis"

[workload]
arrivals = { process = "constant", rate = "10/s" }
duration = "1s"

[[workload.job]]
task = "tiny.quick"

[contract]
delivery = "at-least-once"
recovery = "1s"
"""

# A prefork worker acknowledges before it runs, so the job in which it is killed is gone.
LOSING = SCENARIO.replace('"solo"', '"prefork"\nconcurrency = 1').replace("tiny.quick", "tiny.slow").replace("10/s", "3/s")
KILL = """
[[fault]]
kind = "kill"
target = "worker"
on = "job.running"
"""


def with_top(scenario: str, lines: str) -> str:
    """The scenario with more keys at its top level."""
    return lines + "\n" + scenario


class Project:
    """A folder that is a user's project. Commands run in it as their users run them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.write("tiny.py", APP)
        self.write("pytest.ini", "[pytest]\n")

    def write(self, name: str, text: str | bytes) -> Path:
        """A file of the project."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def pytest(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`pytest …` in a process of its own, its output in `stdout`."""
        return self._run("pytest", "-p", "no:cacheprovider", *arguments)

    def jobharness(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`jobharness …`."""
        return self._run("jobharness.cli.main", *arguments)

    def _run(self, module: str, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def environment(self) -> dict[str, str]:
        """Plain: no colours, no CI, eighty columns."""
        plain = {
            name: value
            for name, value in os.environ.items()
            if name not in ("CI", "BUILD_NUMBER", "FORCE_COLOR", "PYTEST_ADDOPTS")
        }
        return {**plain, "NO_COLOR": "1", "COLUMNS": "100"}
