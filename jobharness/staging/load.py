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
from jobharness.runner.producers import ProducerProcess
from jobharness.scenario.model import Scenario
from jobharness.staging.share import Share, check_sendable

__all__ = ["MASTER", "STATISTICS", "Locust"]

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
        arrivals = scenario.workload.arrivals
        check_sendable(scenario)
        if arrivals is not None and arrivals.process == "closed":
            problem = (
                'arrivals "closed" wait for jobs to be done, which Locust\'s processes cannot; "poisson" or "constant" can be'
            )
            raise InvalidRequest(problem)
        for fault in scenario.fault:
            if str(fault.details.get("target", "")).startswith("producer"):
                raise InvalidRequest(f"fault {fault.kind!r} strikes the producer, in whose place Locust is here; leave it out")
        if importlib.util.find_spec("locust") is None:
            raise ExtraMissing("locust", "locust", "a load test")
        if self.web_port is not None:
            if not 1 <= self.web_port <= 65535:
                raise InvalidRequest(f"--web-port must be from 1 to 65535, not {self.web_port}")
            reserve(self.web_port)

    def processes(self, python: Path, folder: RunFolder) -> Sequence[ProducerProcess]:
        """The master, then the workers. Raises: LibraryMissing where the app's environment cannot run Locust."""
        _check_environment(python)
        port, users = free_port(), self.users or USERS_A_WORKER * self.workers
        locust = [str(python), "-m", "locust", "-f", str(LOCUSTFILE), "--loglevel", "INFO"]
        shown = (
            ["--headless"]
            if self.web_port is None
            else ["--autostart", "--web-host", "127.0.0.1", "--web-port", str(self.web_port)]
        )
        master = [
            *locust,
            "--master",
            *("--master-bind-host", "127.0.0.1", "--master-bind-port", str(port), "--expect-workers", str(self.workers)),
            *("--users", str(users), "--spawn-rate", str(users), "--json-file", str(folder.path / STATISTICS), "--only-summary"),
            *shown,
        ]
        env = {"JOBHARNESS_PLAN": str(folder.plan)}
        worker = [*locust, "--worker", "--master-host", "127.0.0.1", "--master-port", str(port)]
        shares = [Share(number, self.workers) for number in range(1, self.workers + 1)]
        return [
            ProducerProcess(MASTER, master, env, sends=False),
            *(
                ProducerProcess(f"producer-{share.number}", worker, {**env, "JOBHARNESS_SHARE": str(share)}, may_vanish=True)
                for share in shares
            ),
        ]


def _check_environment(python: Path) -> None:
    if python == Path(sys.executable):
        return
    probe = "import importlib.util as u, sys; sys.exit(not (u.find_spec('locust') and u.find_spec('jobharness')))"
    if subprocess.run([str(python), "-c", probe], check=False).returncode:
        raise LibraryMissing("Locust with jobharness", str(python), f"{python} -m pip install 'jobharness[locust]'")
