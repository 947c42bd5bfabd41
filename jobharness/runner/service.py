"""The app's own HTTP service, for jobs that enter through it."""

from __future__ import annotations

import http.client

from jobharness.errors import ProcessFailed
from jobharness.processes.ports import free_port
from jobharness.processes.process import Process, wait_for
from jobharness.processes.site import Site
from jobharness.runner.surroundings import Surroundings
from jobharness.scenario.model import ServiceSpec

__all__ = ["Service"]


class Service:
    """Starts the service on a free loopback port, the agent in it, and waits for its health."""

    def __init__(self, spec: ServiceSpec) -> None:
        self._spec = spec
        self.port = free_port()
        self._process: Process | None = None

    @property
    def url(self) -> str:
        """Its address, without a path."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, around: Surroundings, site: Site) -> None:
        """Start it. Raises: ProcessFailed with its last lines when it exits, or is not healthy in time."""
        command = around.command(self._spec.command, "service.command", "service")
        env = around.for_process("service", "service")
        process = Process("service", command, env=env, folder=around.cwd, log=site.logs / "service.log", mark=site.mark)
        self._process = process
        wait_for(lambda: process.exit_code is not None or self._healthy(), self._spec.ready_within)
        if process.exit_code is not None:
            raise ProcessFailed("service", f"exited with code {process.exit_code} at its start", process.log_tail())
        if not self._healthy():
            problem = f"did not answer 200 at {self._spec.health} within {self._spec.ready_within:g} s"
            raise ProcessFailed("service", problem, process.log_tail())

    def _healthy(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)
        try:
            connection.request("GET", self._spec.health)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def stop(self) -> None:
        """End it. Safe to call twice."""
        if self._process is not None:
            self._process.stop(grace_s=5)
            self._process = None
