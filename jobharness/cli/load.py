"""`jobharness load`: one scenario, with Locust to generate the load."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from jobharness.cli.run import run_scenarios
from jobharness.errors import InvalidRequest
from jobharness.harness import Harness
from jobharness.runner.producers import Producers
from jobharness.runner.result import Result
from jobharness.staging.join import Join, host_and_port
from jobharness.staging.load import Locust
from jobharness.staging.master import DistributedLocust

__all__ = ["LoadWish", "join_load", "put_under_load"]


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
    master: bool = False
    bind: str = "127.0.0.1:5557"
    expect_workers: int | None = None

    def changes(self) -> Mapping[str, Any]:
        """What is laid over the scenario. Raises: InvalidRequest."""
        given = {"workload__arrivals__rate": self._rate(), "workload__duration": self.run_time, "seed": self.seed}
        return {name: value for name, value in given.items() if value is not None}

    def command(self) -> Sequence[str]:
        """The command, without the scenario and the seed: for who repeats it."""
        asked = {"--users": self.users, "--rate": self.rate, "--run-time": self.run_time}
        asked |= {"--bind": self.bind, "--expect-workers": self.expect_workers} if self.master else {"--workers": self.workers}
        options = [word for name, value in asked.items() if value is not None for word in (name, str(value))]
        return ["jobharness", "load", *(["--master"] if self.master else []), *options]

    def producers(self) -> Producers:
        """Locust, here or also elsewhere. Raises: InvalidRequest."""
        if not self.master:
            if self.expect_workers is not None:
                raise InvalidRequest(
                    "--expect-workers goes with --master, whose workers join from elsewhere; --workers starts them here"
                )
            return Locust(self.users or 0, self.workers, self.web_port, self.command())
        if self.expect_workers is None:
            raise InvalidRequest("--master needs --expect-workers N: how many join before the load begins")
        if self.workers != 1:
            raise InvalidRequest(
                "with --master Locust's workers join from elsewhere, and --workers starts them here; leave it out"
            )
        host, port = host_and_port("--bind", self.bind)
        return DistributedLocust(self.expect_workers, host, port, self.users or 0, self.web_port, self.command())

    def _rate(self) -> str | None:
        if self.rate is None:
            return None
        if self.rate.strip().startswith("-"):
            raise InvalidRequest(f"--rate must be more than 0, such as 50/s, not {self.rate}")
        return self.rate if "/" in self.rate else f"{self.rate}/s"


def put_under_load(wish: LoadWish, json_file: Path | None, reports: Path | None) -> int:
    """Run it; returns the exit code, as `run_scenarios`."""
    producers = wish.producers()
    changes = wish.changes()

    def execute(harness: Harness, file: Path, changes: Mapping[str, Any]) -> Result:
        return harness.load(file, producers, **changes)

    if wish.scenario.is_dir():
        raise InvalidRequest(f"{wish.scenario} is a folder; a load test is of one scenario")
    if wish.master:
        sys.stderr.write(
            f"awaited: {wish.expect_workers}; on each of the others: jobharness load {wish.scenario} --join {wish.bind}\n"
        )
    return run_scenarios([wish.scenario], changes, json_file, reports, execute)


def join_load(scenario: Path, address: str) -> NoReturn:
    """Become one of the nodes of a load test. Raises: InvalidRequest, ExtraMissing, LibraryMissing."""
    Join(scenario, *host_and_port("--join", address)).become_worker()
