"""What is put to the test: an adapter on a broker, with an app that has one task per outcome."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from jobharness.history.event import Kind
from jobharness.scenario.model import Scenario

__all__ = ["DELAY_S", "EXPECTED", "NEEDED", "OUTCOMES", "Job", "Subject"]

DELAY_S = 1.0

EXPECTED: dict[str, Counter[Kind]] = {
    "succeed": Counter({Kind.JOB_RUNNING: 1, Kind.JOB_FINISHED: 1}),
    "fail": Counter({Kind.JOB_RUNNING: 1, Kind.JOB_FAILED: 1, Kind.JOB_DEAD: 1}),
    "retry": Counter({Kind.JOB_RUNNING: 2, Kind.JOB_FAILED: 1, Kind.JOB_RETRIED: 1, Kind.JOB_FINISHED: 1}),
    "give_up": Counter({Kind.JOB_RUNNING: 2, Kind.JOB_FAILED: 2, Kind.JOB_RETRIED: 1, Kind.JOB_DEAD: 1}),
    "time_out": Counter({Kind.JOB_RUNNING: 1, Kind.JOB_TIMED_OUT: 1, Kind.JOB_DEAD: 1}),
    "delayed": Counter({Kind.ENQUEUE_NOT_BEFORE: 1, Kind.JOB_RUNNING: 1, Kind.JOB_FINISHED: 1}),
}
"""What the life of a job of each outcome consists of, besides its enqueue, its receipt and its settling."""

NEEDED = {"time_out": Kind.JOB_TIMED_OUT, "retry": Kind.JOB_RETRIED, "give_up": Kind.JOB_RETRIED}
"""What an adapter cannot report where an outcome is missing."""

OUTCOMES = tuple(EXPECTED)


@dataclass(frozen=True)
class Job:
    """How a job of one outcome is sent: the task's name as the library knows it, and the options of the library's send call."""

    task: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Subject:
    """An adapter on a broker.

    `queue` and `broker`: the tables of a scenario; `jobs`: by outcome, see `jobharness.conformance`; `missing`: outcomes (or
    "standing") that there are not -> the reason; `retries_within_s`: how soon the library starts a retry at the latest.
    """

    name: str
    queue: Mapping[str, Any]
    broker: Mapping[str, Any]
    jobs: Mapping[str, Job]
    missing: Mapping[str, str] = field(default_factory=dict)
    retries_within_s: float = 2.0

    def scenario(self) -> Scenario:
        """A scenario of these parts; its workload names every task, so that their existence is checked.

        Raises: pydantic.ValidationError.
        """
        env = {"ATTEMPTS_FOLDER": "{run.folder}/attempts", **self.queue.get("env", {})}
        return Scenario.model_validate(
            {
                "title": f"conformance of {self.name}",
                "queue": {"workers": 2, **self.queue, "env": env},
                "broker": dict(self.broker),
                "workload": {
                    "arrivals": {"rate": "1/s"},
                    "duration": "1s",
                    "job": [{"task": job.task} for job in self.jobs.values()],
                },
            }
        )

    def outcome_of(self, task: str) -> str | None:
        """The outcome that the jobs of a task have."""
        return next((outcome for outcome, job in self.jobs.items() if job.task == task), None)

    def less(self, missing: Mapping[str, str]) -> Subject:
        """The same subject without the outcomes that the live app's version cannot have, or not report for lack of an event."""
        gone = {outcome: missing[outcome] for outcome in OUTCOMES if outcome in missing}
        gone |= {outcome: missing[kind.name_] for outcome, kind in NEEDED.items() if kind.name_ in missing}
        jobs = {outcome: job for outcome, job in self.jobs.items() if outcome not in gone}
        return replace(self, jobs=jobs, missing={**gone, **self.missing})

    def with_queue(self, **changes: Any) -> Subject:
        """The same subject with other entries in its queue table, such as another `python`."""
        return replace(self, queue={**self.queue, **changes})
