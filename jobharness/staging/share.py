"""The share of a plan that one Locust process sends: every k-th row, so that shares are alike whatever the arrivals.

A process that is lost takes its own share with it, and no row of another's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from jobharness import __version__
from jobharness.agent import record
from jobharness.errors import InvalidRequest
from jobharness.scenario.model import Scenario

__all__ = ["Share", "check_sendable", "plan_header", "plan_rows", "producers_queue", "producers_versions"]


@dataclass(frozen=True)
class Share:
    """Rows `number`, `number` + `of`, ... of a plan, counted from 1."""

    number: int
    of: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.of:
            raise InvalidRequest(f"there is no share {self.number} of {self.of}; shares are counted from 1")

    @classmethod
    def read(cls, text: str) -> Share:
        """From "2/4", the second of four. Raises: InvalidRequest."""
        number, _, of = text.partition("/")
        if not (number.isdecimal() and of.isdecimal()):
            raise InvalidRequest(f"a share is written as 2/4, not {text!r}")
        return cls(int(number), int(of))

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def rows(self, plan: Iterator[Any]) -> Iterator[Any]:
        """Those of the plan, in its order."""
        return islice(plan, self.number - 1, None, self.of)


def check_sendable(scenario: Scenario, where: str = "the scenario") -> None:
    """Raises: InvalidRequest where there is nothing that Locust's users could send, or something that they cannot."""
    if not scenario.workload.job and scenario.workload.trace is None:
        raise InvalidRequest(f"{where} has no [[workload.job]], so there is nothing for Locust to send")
    if any(job.delivery is not None for job in scenario.workload.job):
        problem = "a job's `delivery` is sent again for seconds, beside the plan, which Locust's users cannot"
        raise InvalidRequest(f"{where}: {problem}; use `jobharness run`")


def producers_versions(locust: str) -> Mapping[str, Any]:
    """What all who send have to have alike. `locust`: the version of Locust."""
    return {"jobharness": __version__, "Locust": locust, "records": record.SCHEMA}


def producers_queue(scenario: Scenario) -> Mapping[str, Any]:
    """What of a scenario's queue all who send have to agree about, as plain JSON."""
    told: Mapping[str, Any] = scenario.queue.model_dump(mode="json", include={"adapter", "app", "env", "methods", "settings"})
    return told


def plan_header(path: Path) -> Mapping[str, str]:
    """What a plan says of the app (see `jobharness.agent.producer`)."""
    with path.open(encoding="utf-8") as plan:
        header: Mapping[str, str] = json.loads(plan.readline())
        return header


def plan_rows(path: Path, share: Share) -> Iterator[dict[str, Any]]:
    """The jobs of a share, read as they are asked for: memory stays flat."""
    with path.open(encoding="utf-8") as plan:
        plan.readline()
        for line in share.rows(iter(plan)):
            yield json.loads(line)
