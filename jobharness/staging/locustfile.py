"""The locustfile of `jobharness load`: users that send their process's share of the run's plan.

    harness --plan.jsonl, plan.jsonl.go--> Locust workers --records--> harness
       `-> Locust master (statistics, web UI) <--Locust's own messages--'

Each Locust worker says PRODUCER_READY when the app is imported, and its users wait for the start as the agent's producer does.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import gevent
from locust import events
from locust.env import Environment

from jobharness.staging.desk import Desk
from jobharness.staging.load import STOPPED
from jobharness.staging.share import Share
from jobharness.staging.user import ScheduledUser

__all__ = ["PlannedUser"]

PLAN = Path(os.environ["JOBHARNESS_PLAN"])
SHARE = os.environ.get("JOBHARNESS_SHARE", "")


class PlannedUser(ScheduledUser):
    """Waits for the start of the run."""

    # Made before this process says anything to the master: to import an app takes a while, and who is silent for 3 s is missing.
    shared = Desk.of_run(PLAN, Share.read(SHARE)) if SHARE else None

    def open_desk(self, environment: Environment) -> Desk:
        """The one of this process."""
        assert self.shared is not None
        return self.shared

    def on_start(self) -> None:
        """Say that this process can send; wait until it may."""
        self.desk.ready()
        go = PLAN.with_name(PLAN.name + ".go")
        while self.desk.start_ns is None:
            if go.exists():
                self.desk.start_ns = int(go.read_text(encoding="ascii"))
            else:
                gevent.sleep(0.01)


def quit_in_order(environment: Environment, **_: Any) -> None:
    """Someone ends this process: that is no stop in the web UI."""
    if environment.process_exit_code is None:
        environment.process_exit_code = 0


def stop_the_run(environment: Environment, **_: Any) -> None:
    """Someone pressed Stop in the web UI: end this process, which ends the run, and its faults with it."""
    if environment.process_exit_code is None:
        environment.process_exit_code = STOPPED
        os.kill(os.getpid(), signal.SIGTERM)


def watch_for_the_end(environment: Environment, **_: Any) -> None:
    """Of the master. Listeners of `quitting` are called in reverse, and the runner's own stops the test."""
    if not SHARE:
        environment.events.quitting.add_listener(quit_in_order)
        environment.events.test_stop.add_listener(stop_the_run)


events.init.add_listener(watch_for_the_end)
