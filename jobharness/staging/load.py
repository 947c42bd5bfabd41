"""Locust in the place of the plan's producer: one master, and workers that each send a share of the plan."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jobharness.errors import ExtraMissing, InvalidRequest, LibraryMissing
from jobharness.processes.ports import free_port, reserve
from jobharness.runner.folder import RunFolder
from jobharness.runner.nodes import Nodes, OneNode
from jobharness.runner.producers import ProducerProcess
from jobharness.scenario.model import Scenario
from jobharness.staging.share import Share, check_sendable

__all__ = ["MASTER", "STATISTICS", "Locust", "check_environment", "check_load", "check_web_port", "master_command"]

MASTER = "locust-master"
STATISTICS = "locust"
"""Where, in the folder of a run, Locust leaves its statistics; it adds .json."""
USERS_A_WORKER = 8
LOCUSTFILE = Path(__file__).resolve().parent / "locustfile.py"


@dataclass(frozen=True)
class Locust:
    """How the load is generated. `users`: how many jobs may be sent at once, by all `workers` processes together (0: eight a
    process); `web_port`: of Locust's web UI on 127.0.0.1, or None; `command`: what repeats it, before the scenario."""

    users: int = 0
    workers: int = 1
    web_port: int | None = None
    command: Sequence[str] = ("jobharness", "load")

    def check(self, scenario: Scenario) -> None:
        """Raises: InvalidRequest where such a load cannot be, ExtraMissing without Locust; PortTaken."""
        if self.workers < 1:
            raise InvalidRequest(f"--workers must be at least 1, not {self.workers}")
        if self.users < 0 or 0 < self.users < self.workers:
            raise InvalidRequest(f"--users must be at least --workers ({self.workers}), one in each, not {self.users}")
        check_load(scenario)
        check_web_port(self.web_port)

    def processes(self, scenario: Scenario, python: Path, folder: RunFolder) -> Sequence[ProducerProcess]:
        """The master, then the workers. Raises: LibraryMissing where the app's environment cannot run Locust."""
        check_environment(python)
        port, users = free_port(), self.users or USERS_A_WORKER * self.workers
        master = master_command(python, folder, "127.0.0.1", port, self.workers, users, self.web_port)
        env = {"JOBHARNESS_PLAN": str(folder.plan)}
        worker = [*_locust(python), "--worker", "--master-host", "127.0.0.1", "--master-port", str(port)]
        shares = [Share(number, self.workers) for number in range(1, self.workers + 1)]
        return [
            ProducerProcess(MASTER, master, env, sends=False),
            *(
                ProducerProcess(f"producer-{share.number}", worker, {**env, "JOBHARNESS_SHARE": str(share)}, may_vanish=True)
                for share in shares
            ),
        ]

    def nodes(self, folder: RunFolder) -> Nodes:
        """This machine."""
        return OneNode(folder)


def check_load(scenario: Scenario) -> None:
    """Raises: InvalidRequest where Locust cannot send what a scenario has to be sent, ExtraMissing without Locust."""
    check_sendable(scenario)
    arrivals = scenario.workload.arrivals
    if arrivals is not None and arrivals.process == "closed":
        problem = 'arrivals "closed" wait for jobs to be done, which Locust\'s processes cannot; "poisson" or "constant" can be'
        raise InvalidRequest(problem)
    for fault in scenario.fault:
        if str(fault.details.get("target", "")).startswith("producer"):
            raise InvalidRequest(f"fault {fault.kind!r} strikes the producer, in whose place Locust is here; leave it out")
    if importlib.util.find_spec("locust") is None:
        raise ExtraMissing("locust", "locust", "a load test")


def check_web_port(port: int | None) -> None:
    """Raises: InvalidRequest, PortTaken."""
    if port is not None:
        if not 1 <= port <= 65535:
            raise InvalidRequest(f"--web-port must be from 1 to 65535, not {port}")
        reserve(port)


def check_environment(python: Path) -> None:
    """Raises: LibraryMissing where an interpreter has not what Locust's processes need."""
    if python == Path(sys.executable):
        return
    probe = "import importlib.util as u, sys; sys.exit(not (u.find_spec('locust') and u.find_spec('jobharness')))"
    if subprocess.run([str(python), "-c", probe], check=False).returncode:
        raise LibraryMissing("Locust with jobharness", str(python), f"{python} -m pip install 'jobharness[locust]'")


def master_command(
    python: Path, folder: RunFolder, host: str, port: int, workers: int, users: int, web_port: int | None
) -> list[str]:
    """That of Locust's master, which begins when so many workers are there."""
    shown = ["--headless"] if web_port is None else ["--autostart", "--web-host", "127.0.0.1", "--web-port", str(web_port)]
    return [
        *_locust(python),
        "--master",
        *("--master-bind-host", host, "--master-bind-port", str(port), "--expect-workers", str(workers)),
        *("--users", str(users), "--spawn-rate", str(users), "--json-file", str(folder.path / STATISTICS), "--only-summary"),
        *shown,
    ]


def _locust(python: Path) -> list[str]:
    return [str(python), "-m", "locust", "-f", str(LOCUSTFILE), "--loglevel", "INFO"]
