"""The environment of every process of a run: the app's own variables, with the placeholders filled in, and the agent's."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jobharness.errors import InvalidRequest, nearest
from jobharness.queues.queue import HasScheduler
from jobharness.runner.clocks import Clocks
from jobharness.runner.folder import RunFolder
from jobharness.runner.parts import Parts
from jobharness.wire.statements import Statements

__all__ = ["AGENT_PATH", "Surroundings", "app_folder", "interpreter"]

_PLACEHOLDER = re.compile(r"\{([a-z_]+\.[a-z][a-z0-9_-]*)\}")

AGENT_PATH = Path(__file__).resolve().parent.parent / "agent" / "path"


def interpreter(project: Path, given: str | None) -> Path:
    """The app's: this one, or that of `queue.python`. Raises: InvalidRequest."""
    if given is None:
        return Path(sys.executable)
    path = project / given
    for candidate in (path / "bin" / "python", path):
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate
    raise InvalidRequest(f"queue.python: {path} is neither a virtual environment nor a Python interpreter")


def app_folder(project: Path, given: str) -> Path:
    """Where the app's processes run. Raises: InvalidRequest where there is no such folder."""
    path = (project / given).resolve()
    if not path.is_dir():
        raise InvalidRequest(f"queue.folder: there is no folder {path}")
    return path


class Surroundings:
    """Makes environments and commands for the app's processes.

    Args: `places`: what the placeholders stand for, such as {"broker.url": ...}.
    Raises: InvalidRequest for a placeholder that does not exist, or an interpreter that does not.
    """

    def __init__(self, parts: Parts, folder: RunFolder, places: Mapping[str, str]) -> None:
        self._parts, self._folder, self._places = parts, folder, places
        self.python = interpreter(parts.project, parts.scenario.queue.python)
        self.cwd = app_folder(parts.project, parts.scenario.queue.folder)
        self._mishaps = any("mishaps" in getattr(armed.fault, "needs", ()) for armed in parts.faults)
        self._ways: dict[str, Callable[[str], str]] = {}
        self._statements: list[Statements] = []
        self._clocks: Clocks | None = None
        self._upstream: Callable[[str], Mapping[str, Any]] | None = None
        self._filled_env("inspector")

    def reach_by(self, place: str, url_for: Callable[[str], str]) -> None:
        """From now on what a placeholder such as "broker.url" stands for is another for each process, by its name."""
        self._ways[place] = url_for

    def move_clocks_by(self, clocks: Clocks) -> None:
        """From now on workers are started with clocks that can be moved."""
        self._clocks = clocks

    def reach_upstream_by(self, ways_for: Callable[[str], Mapping[str, Any]]) -> None:
        """From now on the agent leads calls to the upstream (see `agent.redirect`), and says which job each is for. `ways_for`:
        how a process finds it, by its name."""
        self._upstream = ways_for

    def watch_statements(self, statements: Statements) -> None:
        """From now on the agent strikes at what is armed at these SQL statements, too."""
        self._statements.append(statements)

    def _filled_env(self, name: str) -> dict[str, str]:
        env = self._parts.scenario.queue.env
        return {variable: self.fill(value, f"queue.env.{variable}", name) for variable, value in env.items()}

    def fill(self, text: str, key: str, process: str = "") -> str:
        """The text with {broker.url} and its kin filled in, for a process by its name. Other braces stay as they are.

        Raises: InvalidRequest.
        """

        def value_of(match: re.Match[str]) -> str:
            name = match.group(1)
            if name in self._ways and process:
                return self._ways[name](process)
            if name not in self._places:
                guess = nearest(name, self._places)
                hint = f"; did you mean {{{guess}}}?" if guess else ""
                raise InvalidRequest(f"{key}: nothing is called {{{name}}}{hint} (known: {', '.join(sorted(self._places))})")
            return self._places[name]

        return _PLACEHOLDER.sub(value_of, text)

    def command(self, words: Sequence[str], key: str, process: str = "") -> list[str]:
        """A command of the scenario, filled in; scripts beside the app's interpreter come first. Raises: InvalidRequest."""
        filled = [self.fill(word, key, process) for word in words]
        if filled and (self.python.parent / filled[0]).exists():
            filled[0] = str(self.python.parent / filled[0])
        return filled

    def worker_command(self, name: str) -> list[str]:
        """The command of the worker called `name`: the scenario's, or else the library's own."""
        own = self.command(self._parts.scenario.queue.command, "queue.command", name if name != "worker" else "")
        return own or self._parts.queue.worker_command(self.python, name)

    def scheduler_command(self, name: str) -> list[str]:
        """The command of the scheduler called `name`. Raises: InvalidRequest."""
        scheduler, queue = self._parts.scenario.queue.scheduler, self._parts.queue
        words = scheduler.command if scheduler is not None else ()
        if not words and isinstance(queue, HasScheduler):
            words = tuple(queue.scheduler_command(self.python, name))
        return self.command(words, "queue.scheduler.command", name)

    def for_process(self, role: str, name: str, *, direct: bool = False) -> dict[str, str]:
        """The whole environment of one process of the app, the agent switched on. `direct`: past the proxy, if there is one."""
        library = self._parts.queue.agent_library()
        env = self._filled_env("" if direct else name)
        path = os.pathsep.join(filter(None, [str(AGENT_PATH), env.get("PYTHONPATH", os.environ.get("PYTHONPATH", ""))]))
        return {
            **os.environ,
            # A service and its workers are found beside the interpreter, as in an activated environment.
            "PATH": os.pathsep.join([str(self.python.parent), os.environ.get("PATH", "")]),
            "PYTHONUNBUFFERED": "1",
            **env,
            "PYTHONPATH": path,
            "JOBHARNESS_HISTORY": str(self._folder.records),
            "JOBHARNESS_ROLE": role,
            "JOBHARNESS_NAME": name,
            "JOBHARNESS_LIBRARY": library,
            "JOBHARNESS_APP": self._parts.scenario.queue.app,
            "JOBHARNESS_COMMAND": json.dumps(self.worker_command("worker")),
            "JOBHARNESS_TASKS": json.dumps([task for job in self._parts.scenario.workload.job for task in job.tasks]),
            "JOBHARNESS_METHODS": json.dumps(self._parts.scenario.queue.methods),
            "JOBHARNESS_MISHAPS": str(self._folder.mishaps) if self._mishaps else "",
            "JOBHARNESS_UPSTREAM": json.dumps(self._upstream(name)) if self._upstream is not None else "",
            "JOBHARNESS_POOL": self._parts.scenario.queue.pool or "",
            "JOBHARNESS_STEPS": json.dumps([one.told for one in self._statements]) if self._statements else "",
            "JOBHARNESS_SETTINGS": json.dumps(self._parts.scenario.queue.settings),
            **(self._clocks.env_for(name) if self._clocks is not None and role == "worker" else {}),
        }

    def without_agent(self) -> dict[str, str]:
        """The environment of a server of the run."""
        return dict(os.environ)
