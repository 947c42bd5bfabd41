"""Starts and stops the upstream, and tells it how to misbehave."""

from __future__ import annotations

import http.client
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jobharness.errors import EnvironmentFailed, ExtraMissing, ProcessFailed
from jobharness.processes.ports import free_port, is_open
from jobharness.processes.process import Process, wait_for
from jobharness.processes.site import Site
from jobharness.upstream.behaviour import Manners, Misbehaviour
from jobharness.upstream.certificate import Certificate

__all__ = ["PACKAGES", "Upstream"]

PACKAGES = ("uvicorn", "httptools", "uvloop")
"""What the server process imports; the extra `upstream` installs them."""

USUAL_PORTS = {"http": 80, "https": 443}
READY_WITHIN_S = 15.0
CONTROL = "/.jobharness/misbehaviour/"
CONTROL_TIMEOUT_S = 2.0


class Upstream:
    """One upstream on a free loopback port, and on a second one that speaks TLS where one of the hosts is called by it.

    Args: `hosts`: what the app calls and is led here, each "https://api.example.com", "http://other.example.com:8080" or,
    for both schemes, a bare name. Not for two threads at once.

    Raises: ExtraMissing.
    """

    def __init__(self, manners: Manners, hosts: Sequence[str] = ()) -> None:
        self._origins = [origin for host in hosts for origin in _origins(host)]
        secure = any(way == "tls" for _, _, way in self._origins)
        for package in (*PACKAGES, *((Certificate.package,) if secure else ())):
            if importlib.util.find_spec(package) is None:
                raise ExtraMissing(package, "upstream", "an [upstream]")
        self._manners = manners
        self._port = free_port()
        self._tls_port = free_port() if secure else 0
        self._certificate: Certificate | None = None
        self._process: Process | None = None

    @property
    def url(self) -> str:
        """Its address, without a path."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def ways(self) -> dict[str, Any]:
        """How it is reached, in the words of `agent.redirect`. Known after `start`."""
        ca = str(self._certificate.ca) if self._certificate is not None else ""
        return {"plain": self._port, "tls": self._tls_port, "ca": ca, "origins": self._origins}

    @property
    def chain(self) -> Path | None:
        """Key and certificate that it shows to who calls it by https; None where nobody does. Known after `start`."""
        return self._certificate.chain if self._certificate is not None else None

    @property
    def pid(self) -> int:
        """Its process id; 0 when it does not run."""
        return self._process.pid if self._process is not None else 0

    def start(self, site: Site) -> None:
        """Start it and wait until it listens. Raises: ProcessFailed with its last lines."""
        manners = self._manners.model_dump_json()
        command = [sys.executable, "-m", "jobharness.upstream.api", str(self._port), str(site.records), manners]
        if self._tls_port:
            self._certificate = Certificate.made_for(sorted({host for host, _, _ in self._origins}), site.data, "upstream")
            command += [str(self._tls_port), str(self._certificate.chain)]
        process = site.start("upstream", command)
        self._process = process
        ports = [port for port in (self._port, self._tls_port) if port]
        wait_for(lambda: process.exit_code is not None or all(map(is_open, ports)), READY_WITHIN_S)
        if not all(map(is_open, ports)):
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


def _origins(host: str) -> Iterator[tuple[str, int, str]]:
    """`(name, port, "plain" or "tls")` of what an entry of `hosts` names."""
    scheme, _, place = host.rpartition("://")  # A bare name has no port.
    name, _, port = place.partition(":")
    for one in (scheme,) if scheme else USUAL_PORTS:
        yield name.lower(), int(port) if port else USUAL_PORTS[one], "tls" if one == "https" else "plain"
