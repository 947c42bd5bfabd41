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
    time.sleep(0.8)
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

# A prefork worker acknowledges a job once its child has begun it. Killed then, it loses the job, or, where it had not come to
# acknowledge it, leaves it stuck for the hour of the default visibility timeout: broken either way.
LOSING = SCENARIO.replace('"solo"', '"prefork"\nconcurrency = 1').replace("tiny.quick", "tiny.slow").replace("10/s", "3/s")
# Long enough for a replacement to be ready on a busy machine; a lost job has the run wait that long.
LOSING = LOSING.replace('recovery = "1s"', 'recovery = "4s"')
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
        # Plugins that only happen to be installed beside ours, and take their time to load.
        others = ("no:cacheprovider", "no:faker", "no:hypothesispytest", "no:benchmark")
        return self._run("pytest", *(word for name in others for word in ("-p", name)), *arguments)

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
            timeout=240,
            check=False,
        )

    def environment(self) -> dict[str, str]:
        """Plain: no colours, no CI, a hundred columns; compiled code is kept between commands, so that they start as fast as a
        user's."""
        left_out = ("CI", "BUILD_NUMBER", "FORCE_COLOR", "PYTEST_ADDOPTS", "PYTHONDONTWRITEBYTECODE")
        plain = {name: value for name, value in os.environ.items() if name not in left_out}
        return {**plain, "NO_COLOR": "1", "COLUMNS": "100", "PYTHONPYCACHEPREFIX": str(self.folder.parent.parent / "pycache")}
