"""Starts and stops the upstream, and tells it how to misbehave."""

from __future__ import annotations

import http.client
import importlib.util
import sys
from urllib.parse import quote

from jobharness.errors import EnvironmentFailed, ExtraMissing, ProcessFailed
from jobharness.processes.ports import free_port, is_open
from jobharness.processes.process import Process, wait_for
from jobharness.processes.site import Site
from jobharness.upstream.behaviour import Manners, Misbehaviour

__all__ = ["PACKAGES", "Upstream"]

PACKAGES = ("uvicorn", "httptools", "uvloop")
"""What the server process imports; the extra `upstream` installs them."""

READY_WITHIN_S = 15.0
CONTROL = "/.jobharness/misbehaviour/"
CONTROL_TIMEOUT_S = 2.0


class Upstream:
    """One upstream on a free loopback port. Not for two threads at once.

    Raises: ExtraMissing.
    """

    def __init__(self, manners: Manners) -> None:
        for package in PACKAGES:
            if importlib.util.find_spec(package) is None:
                raise ExtraMissing(package, "upstream", "an [upstream]")
        self._manners = manners
        self._port = free_port()
        self._process: Process | None = None

    @property
    def url(self) -> str:
        """Its address, without a path."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """Its process id; 0 when it does not run."""
        return self._process.pid if self._process is not None else 0

    def start(self, site: Site) -> None:
        """Start it and wait until it listens. Raises: ProcessFailed with its last lines."""
        manners = self._manners.model_dump_json()
        command = [sys.executable, "-m", "jobharness.upstream.api", str(self._port), str(site.records), manners]
        process = site.start("upstream", command)
        self._process = process
        wait_for(lambda: process.exit_code is not None or is_open(self._port), READY_WITHIN_S)
        if not is_open(self._port):
            raise ProcessFailed("upstream", f"did not listen within {READY_WITHIN_S:g} s", process.log_tail())

    def misbehave(self, wrong: Misbehaviour) -> None:
        """From now on, and until `behave`, treat requests like this. Raises: EnvironmentFailed."""
        self._tell("PUT", wrong.label, wrong.model_dump_json())

    def behave(self, label: str) -> None:
        """Forget the misbehaviour of this label. Safe to call twice, and when it is gone."""
        if self._process is not None and self._process.exit_code is None:
            self._tell("DELETE", label)

    def _tell(self, method: str, label: str, body: str = "") -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=CONTROL_TIMEOUT_S)
        try:
            connection.request(method, CONTROL + quote(label, safe=""), body)
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            raise EnvironmentFailed(f"the upstream does not answer the harness ({error})") from error
        finally:
            connection.close()
        if status != 204:
            raise EnvironmentFailed(f"the upstream refused what the harness told it (HTTP {status})")

    def stop(self) -> None:
        """End it. Safe to call twice."""
        if self._process is not None:
            self._process.stop(grace_s=3)
            self._process = None
