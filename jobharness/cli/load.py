"""`jobharness load`: one scenario, with Locust to generate the load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobharness.cli.run import run_scenarios
from jobharness.errors import InvalidRequest
from jobharness.harness import Harness
from jobharness.runner.result import Result
from jobharness.staging.load import Locust

__all__ = ["LoadWish", "put_under_load"]


@dataclass(frozen=True)
class LoadWish:
    """What the command line asks for. None is as the scenario has it; of `web_port`, no web UI."""

    scenario: Path
    users: int | None
    rate: str | None
    run_time: str | None
    workers: int
    web_port: int | None
    seed: int | None

    def changes(self) -> Mapping[str, Any]:
        """What is laid over the scenario. Raises: InvalidRequest."""
        given = {"workload__arrivals__rate": self._rate(), "workload__duration": self.run_time, "seed": self.seed}
        return {name: value for name, value in given.items() if value is not None}

    def command(self) -> Sequence[str]:
        """The command, without the scenario and the seed: for who repeats it."""
        asked = {"--users": self.users, "--rate": self.rate, "--run-time": self.run_time, "--workers": self.workers}
        options = [word for name, value in asked.items() if value is not None for word in (name, str(value))]
        return ["jobharness", "load", *options]

    def _rate(self) -> str | None:
        if self.rate is None:
            return None
        if self.rate.strip().startswith("-"):
            raise InvalidRequest(f"--rate must be more than 0, such as 50/s, not {self.rate}")
        return self.rate if "/" in self.rate else f"{self.rate}/s"


def put_under_load(wish: LoadWish, json_file: Path | None, reports: Path | None) -> int:
    """Run it; returns the exit code, as `run_scenarios`."""
    locust = Locust(wish.users or 0, wish.workers, wish.web_port, wish.command())
    changes = wish.changes()

    def execute(harness: Harness, file: Path, changes: Mapping[str, Any]) -> Result:
        return harness.load(file, locust, **changes)

    if wish.scenario.is_dir():
        raise InvalidRequest(f"{wish.scenario} is a folder; a load test is of one scenario")
    return run_scenarios([wish.scenario], changes, json_file, reports, execute)
