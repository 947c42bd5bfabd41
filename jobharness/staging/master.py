"""`jobharness load --master`: Locust's master beside the run, and its workers on other machines, which join by themselves."""

from __future__ import annotations

import ipaddress
import json
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jobharness.errors import CannotListen, InvalidRequest
from jobharness.runner.folder import RunFolder
from jobharness.runner.guard import Guard
from jobharness.runner.nodes import Nodes
from jobharness.runner.producers import ProducerProcess
from jobharness.scenario.model import Scenario
from jobharness.staging.load import MASTER, check_environment, check_load, check_web_port, master_command
from jobharness.staging.many_nodes import ManyNodes
from jobharness.staging.share import producers_queue

__all__ = ["DistributedLocust"]

USERS_A_NODE = 8


@dataclass(frozen=True)
class DistributedLocust:
    """How the load is generated. `nodes_expected`: how many are awaited; `host`, `port`: where Locust's master listens; the
    others as of `load.Locust`."""

    nodes_expected: int
    host: str = "127.0.0.1"
    port: int = 5557
    users: int = 0
    web_port: int | None = None
    command: Sequence[str] = ("jobharness", "load", "--master")

    def check(self, scenario: Scenario) -> None:
        """Raises: InvalidRequest where such a load cannot be, ExtraMissing without Locust; CannotListen, PortTaken."""
        if self.nodes_expected < 1:
            raise InvalidRequest(f"--expect-workers must be at least 1, not {self.nodes_expected}")
        if self.users < 0 or 0 < self.users < self.nodes_expected:
            raise InvalidRequest(
                f"--users must be at least --expect-workers ({self.nodes_expected}), one in each, not {self.users}"
            )
        check_load(scenario)
        if scenario.control:
            raise InvalidRequest(
                "control = true makes two runs, and the nodes join one; leave it out, or make the control run first, by itself"
            )
        Guard(scenario, "--master").check_url("--bind", f"{self.host}:{self.port}")
        if not _is_loopback(self.host):
            self._check_others_can_take_part(scenario)
        check_web_port(self.web_port)
        _check_can_listen(self.host, self.port)

    def _check_others_can_take_part(self, scenario: Scenario) -> None:
        if scenario.environment != "staging":
            raise InvalidRequest(
                f'--bind {self.host} lets other machines take part; declare environment = "staging" in the scenario, and list '
                "in `hosts` what they reach"
            )
        if scenario.broker.url is None:
            raise InvalidRequest(
                f"--bind {self.host} lets other machines take part, but the broker would be started on 127.0.0.1, where they do "
                "not reach it; give its address: [broker] url"
            )

    def processes(self, scenario: Scenario, python: Path, folder: RunFolder) -> Sequence[ProducerProcess]:
        """The master. Raises: LibraryMissing where the app's environment cannot run Locust."""
        check_environment(python)
        users = self.users or USERS_A_NODE * self.nodes_expected
        command = master_command(python, folder, self.host, self.port, self.nodes_expected, users, self.web_port)
        awaited = {"of": self.nodes_expected, "queue": producers_queue(scenario), "env": list(scenario.queue.env)}
        env = {"JOBHARNESS_PLAN": str(folder.plan), "JOBHARNESS_AWAITED": json.dumps(awaited)}
        return [ProducerProcess(MASTER, command, env, sends=False, direct=True)]

    def nodes(self, folder: RunFolder) -> Nodes:
        """This machine and those awaited."""
        return ManyNodes(folder, self.nodes_expected)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check_can_listen(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CannotListen(f"{host}:{port}", error.strerror or str(error)) from error
