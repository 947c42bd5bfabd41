"""The locustfile of `jobharness load --join`: users that send the share that Locust's master has handed to this process.

All that is to be agreed with the master is agreed before this is one of its workers: to import an app takes a while, and who is
silent for 3 s is missing. What makes it impossible is one line, and the exit code.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

import gevent
import locust
from locust import events
from locust.env import Environment

from jobharness.errors import JobharnessError
from jobharness.runner.guard import Guard
from jobharness.scenario.load import load_scenario
from jobharness.staging.desk import Desk
from jobharness.staging.member import Greeting, Member
from jobharness.staging.share import producers_queue, producers_versions
from jobharness.staging.user import ScheduledUser

__all__ = ["MEMBER", "PlannedUser"]


def join() -> Member:
    """Join the load test that the environment names. Ends the process with one line where that cannot be."""
    asked = json.loads(os.environ["JOBHARNESS_JOIN"])
    scenario = load_scenario(Path(asked["scenario"]))
    guard = Guard(scenario, asked["scenario"])

    def admit(env: Mapping[str, str]) -> None:
        for name in scenario.queue.env:
            guard.check_setting(name, env[name])
            os.environ[name] = env[name]

    said = {
        "host": socket.gethostname(),
        "versions": producers_versions(locust.__version__),
        "queue": producers_queue(scenario),
        "token": os.environ.get("JOBHARNESS_SHIP_TOKEN", ""),
    }
    folder = Path(os.environ["JOBHARNESS_HISTORY"])
    try:
        return Member.join(Greeting(asked["host"], asked["port"]), said, folder, admit)
    except JobharnessError as error:
        shutil.rmtree(folder, ignore_errors=True)
        sys.stderr.write(f"error: {error}\n")
        sys.exit(error.exit_code)


MEMBER = join()


class PlannedUser(ScheduledUser):
    """Waits for the start of the run."""

    def open_desk(self, environment: Environment) -> Desk:
        """The one of this process."""
        return MEMBER.desk

    def on_start(self) -> None:
        """Say that this process can send; wait until it may."""
        self.desk.ready()
        while self.desk.start_ns is None:
            gevent.sleep(0.01)


events.init.add_listener(MEMBER.attend)
