"""The locustfile of `jobharness load`: users that send their process's share of the run's plan.

    harness --plan.jsonl, plan.jsonl.go--> Locust workers --records--> harness
       `-> Locust master (statistics, web UI) <--Locust's own messages--'

Each Locust worker says PRODUCER_READY when the app is imported, and its users wait for the start as the agent's producer does.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import gevent
import locust
from locust import events, runners
from locust.env import Environment

from jobharness.runner.folder import ABORT
from jobharness.staging.desk import Desk
from jobharness.staging.reception import Awaited, Reception
from jobharness.staging.share import Share, producers_versions
from jobharness.staging.user import ScheduledUser

__all__ = ["PlannedUser"]

PLAN = Path(os.environ["JOBHARNESS_PLAN"])
SHARE = os.environ.get("JOBHARNESS_SHARE", "")
PATIENCE_S = 60
AWAITED = os.environ.get("JOBHARNESS_AWAITED", "")


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


class StopButton:
    """Someone who presses Stop in the web UI aborts the run, which heals its faults first. Locust's own end is no such stop."""

    def __init__(self) -> None:
        self._ending = False

    def end(self, **_: Any) -> None:
        """A listener of `quitting`."""
        self._ending = True

    def press(self, environment: Any, **_: Any) -> None:
        """A listener of `test_stopping`."""
        # Locust stops, too, when its last worker is missing; that is the run's to judge.
        if not self._ending and environment.runner.worker_count > 0:
            written = PLAN.with_name(ABORT + ".new")
            written.write_text("Stop in Locust's web interface\n", encoding="utf-8")
            written.rename(PLAN.with_name(ABORT))


def watch_the_button(environment: Environment, **_: Any) -> None:
    """Of the master. Listeners of `quitting` are called in reverse, and the runner's own stops the test."""
    if not SHARE:
        button = StopButton()
        environment.events.quitting.add_listener(button.end)
        environment.events.test_stopping.add_listener(button.press)


def leave_the_missing_to_the_run(**_: Any) -> None:
    """Of the master. Locust takes a worker for lost that was silent for 3 s, as any is on a busy machine, and ends the test when
    all were: the run knows better who is gone."""
    if not SHARE:
        runners.HEARTBEAT_LIVENESS = PATIENCE_S  # One heartbeat a second.


def receive_nodes(environment: Environment, **_: Any) -> None:
    """Of a master whose workers join from other machines."""
    if AWAITED:
        asked = json.loads(AWAITED)
        env = {name: os.environ[name] for name in asked["env"]}
        versions = producers_versions(locust.__version__)
        awaited = Awaited(asked["of"], versions, asked["queue"], env, os.environ.get("JOBHARNESS_SHIP_TOKEN", ""))
        Reception(PLAN, Path(os.environ["JOBHARNESS_HISTORY"]), awaited).attend(environment)


events.init.add_listener(leave_the_missing_to_the_run)
events.init.add_listener(watch_the_button)
events.init.add_listener(receive_nodes)
