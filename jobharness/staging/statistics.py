"""Puts what became of jobs into Locust's statistics while they go on. Importing this imports Locust.

The workers' records tell, on the machine that has them: there the master (or a Locust on its own) follows the folder that
JOBHARNESS_HISTORY names, and what nodes ship there.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import gevent
from locust.env import Environment
from locust.runners import WorkerRunner

from jobharness.staging.following import NodesFollower
from jobharness.staging.job_times import JOB, JobTimes

__all__ = ["begin_statistics"]

POLL_S = 0.25


def begin_statistics(environment: Environment, **_: Any) -> None:
    """Follow the records from now on, where there are some to follow. A listener of Locust's `init`."""
    folder = os.environ.get("JOBHARNESS_HISTORY")
    if folder and not isinstance(environment.runner, WorkerRunner):
        gevent.spawn(_follow, environment, Path(folder))


def _follow(environment: Environment, folder: Path) -> None:
    follower, times = NodesFollower(folder), JobTimes()
    while folder.is_dir():
        for timed in times.see(follower.poll()):
            environment.events.request.fire(
                request_type=JOB,
                name=timed.name,
                response_time=timed.took_ms,
                response_length=0,
                exception=RuntimeError(timed.failure) if timed.failure else None,
                context={},
            )
        gevent.sleep(POLL_S)
