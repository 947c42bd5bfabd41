"""Processes of this machine that the run did not start: only those that the scenario names, and of them only what it allows.

A process id alone could be another's by now, and a pattern may fit more than was meant, so the command line must fit the
allow-list besides. They are looked for anew at each strike.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import psutil

from jobharness.scenario.model import ProcessSpec, Scenario

__all__ = ["Outsiders"]


class Outsiders:
    """Those of one scenario."""

    def __init__(self, scenario: Scenario) -> None:
        self._named = {process.name: process for process in scenario.process}
        self._allowed = scenario.allow_processes

    def find(self, name: str) -> Sequence[psutil.Process]:
        """The living processes of this name that are allowed; this process and its parents never are."""
        spec = self._named.get(name)
        ours = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
        return [one for one in _candidates(spec) if one.pid not in ours and self._is_allowed(one)] if spec is not None else []

    def _is_allowed(self, process: psutil.Process) -> bool:
        command = _command(process)
        return bool(command) and any(fnmatchcase(command, pattern) for pattern in self._allowed)

    def told(self, name: str) -> str:
        """Who would be struck now, in words."""
        found = [f"process {one.pid} ({_command(one)[:60]})" for one in self.find(name)]
        return ", ".join(found) or "nobody now: no such process is allowed by `allow_processes`"


def _candidates(spec: ProcessSpec) -> Sequence[psutil.Process]:
    if spec.pid_file is None:
        return [one for one in psutil.process_iter() if fnmatchcase(_command(one), spec.match or "")]
    try:
        return [psutil.Process(int(Path(spec.pid_file).read_text(encoding="ascii")))]
    except (OSError, ValueError, psutil.Error):
        return []


def _command(process: psutil.Process) -> str:
    try:
        return shlex.join(process.cmdline())
    except psutil.Error:
        return ""
