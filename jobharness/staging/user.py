"""Locust users that enqueue jobs. Importing this imports Locust, which patches the process (gevent).

In Locust's statistics jobs are requests of type JOB: "charge enqueue" is the time from the intended moment until the library's
call, or the service's request, had returned. See `job_times` for "charge started" and "charge done".
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import gevent
from gevent.event import Event
from locust import User, events, task
from locust.env import Environment

from jobharness.clock import NS_PER_S, now_ns
from jobharness.errors import InvalidRequest
from jobharness.staging.desk import Desk
from jobharness.staging.job_times import JOB, MS_PER_NS, short_name
from jobharness.staging.share import Share
from jobharness.staging.statistics import begin_statistics

__all__ = ["JobUser", "ScheduledUser"]


class JobUser(User):
    """A user whose tasks enqueue jobs: by the library's own call, or through the app's service at `host`.

    `scenario`: the file whose app, mix of jobs and seed it takes. An enqueue that fails is a failure in Locust's statistics and
    raises nothing.
    """

    abstract = True
    scenario: str = ""
    _desks: ClassVar[WeakKeyDictionary[Environment, Desk]] = WeakKeyDictionary()

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.desk = self.open_desk(environment)
        self._window = self.desk.window()

    def open_desk(self, environment: Environment) -> Desk:
        """What it shares with the other users of its process. The first of them imports the app. Raises: InvalidRequest."""
        if environment not in self._desks:
            if not self.scenario:
                raise InvalidRequest(f'{type(self).__name__} needs a scenario: scenario = "scenarios/checkout.toml"')
            self._desks[environment] = Desk.of_scenario(Path(self.scenario), self.host or "", _share_of(environment))
        return self._desks[environment]

    def enqueue(self, task: str, *args: Any, **kwargs: Any) -> bool:
        """Enqueue one job by the library's own call; whether it was acknowledged."""
        return self._send({"task": task, "args": args, "kwargs": kwargs, "options": {}}, now_ns())

    def post(self, path: str, body: Mapping[str, Any], job_id: str = "job_id") -> bool:
        """Enqueue one job through the app's service; `job_id` is the field of the answer that holds its id."""
        url = (self.host or "").rstrip("/") + path
        return self._send({"http": {"method": "POST", "url": url, "body": body, "job_id": job_id}}, now_ns())

    def enqueue_next(self) -> bool:
        """Enqueue the next job of the scenario's mix now, whatever its moment; False where there is none left."""
        job = self.desk.next()
        return job is not None and self._send_taken(job, now_ns())

    def _send_taken(self, job: Mapping[str, Any], due_ns: int) -> bool:
        """Send what was taken from the desk. A user that is stopped in the middle leaves it unknown, and unsaid."""
        acknowledged = self._send(job, due_ns)
        self.desk.sent()
        return acknowledged

    def _send(self, job: Mapping[str, Any], due_ns: int) -> bool:
        error = self.desk.send(self._window, job, due_ns)
        self.environment.events.request.fire(
            request_type=JOB,
            name=f"{short_name(job)} enqueue",
            response_time=(now_ns() - due_ns) * MS_PER_NS,
            response_length=0,
            exception=error,
            context={},
        )
        return error is None


class ScheduledUser(JobUser):
    """Sends the scenario's jobs at their own moments: an open model. Users are how many may be sent at once.

    Where all of them are held up, a job is sent late, and everything about it counts from the moment for which it was meant.
    """

    abstract = True

    @task
    def send_when_due(self) -> None:
        """The next job of the plan; nothing more when there is none left."""
        job = self.desk.next()
        if job is None:
            Event().wait()  # Until Locust stops this user.
            return
        due_ns = self.desk.due_ns(job)
        gevent.sleep(max(0.0, (due_ns - now_ns()) / NS_PER_S))
        self._send_taken(job, due_ns)


def _share_of(environment: Environment) -> Share:
    """Of a Locust worker, by its number among those that the master awaited; everything where there is but one process."""
    number = getattr(environment.runner, "worker_index", -1) + 1
    awaited = getattr(environment.parsed_options, "expect_workers", 0) or 1
    return Share(number, max(awaited, number)) if number > 0 else Share(1, 1)


events.init.add_listener(begin_statistics)
