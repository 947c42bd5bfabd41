"""Starts and stops the upstream."""

from __future__ import annotations

import importlib.util
import sys

from jobharness.errors import ExtraMissing, ProcessFailed
from jobharness.processes.ports import free_port, is_open
from jobharness.processes.process import Process, wait_for
from jobharness.processes.site import Site

__all__ = ["Upstream"]

READY_WITHIN_S = 15.0


class Upstream:
    """One upstream on a free loopback port. `latency_s`: how long each answer takes.

    Raises: ExtraMissing.
    """

    def __init__(self, latency_s: float) -> None:
        for package in ("starlette", "uvicorn"):
            if importlib.util.find_spec(package) is None:
                raise ExtraMissing(package, "upstream", "an [upstream]")
        self._latency_s = latency_s
        self._port = free_port()
        self._process: Process | None = None

    @property
    def url(self) -> str:
        """Its address, without a path."""
        return f"http://127.0.0.1:{self._port}"

    def start(self, site: Site) -> None:
        """Start it and wait until it listens. Raises: ProcessFailed with its last lines."""
        command = [sys.executable, "-m", "jobharness.upstream.api", str(self._port), str(site.records), str(self._latency_s)]
        process = site.start("upstream", command)
        self._process = process
        wait_for(lambda: process.exit_code is not None or is_open(self._port), READY_WITHIN_S)
        if not is_open(self._port):
            raise ProcessFailed("upstream", f"did not listen within {READY_WITHIN_S:g} s", process.log_tail())

    def stop(self) -> None:
        """End it. Safe to call twice."""
        if self._process is not None:
            self._process.stop(grace_s=3)
            self._process = None
