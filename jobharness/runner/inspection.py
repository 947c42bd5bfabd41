"""Asks the live app, before anything is started, whether it is what the scenario says."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from jobharness.errors import AppFailed, InvalidRequest, LibraryMissing, UnknownName
from jobharness.processes.process import Process
from jobharness.queues.queue import App
from jobharness.runner.folder import RunFolder
from jobharness.runner.parts import Parts
from jobharness.runner.surroundings import Surroundings
from jobharness.workload.trace import read_trace

__all__ = ["inspect_app"]

TIMEOUT_S = 60.0


def inspect_app(
    parts: Parts, surroundings: Surroundings, folder: RunFolder, mark: str, start: Callable[..., Process] = Process
) -> App:
    """Import the app in its own environment and check what the scenario says of it. `start`: what starts the process.

    Raises: LibraryMissing, AppFailed when it cannot be imported for another reason (with its own traceback), UnknownName for a
    task that it does not have, InvalidRequest for a setting that did not take.
    """
    queue = parts.scenario.queue
    answer_path = folder.data / "app.json"
    command = [str(surroundings.python), "-m", "jobharness_agent.inspect", queue.app, str(answer_path)]
    env = surroundings.for_process("inspector", "inspector")
    process = start("inspector", command, env=env, folder=surroundings.cwd, log=folder.logs / "inspector.log", mark=mark)
    if process.wait(TIMEOUT_S) is None:
        process.stop(grace_s=0)
        raise AppFailed(queue.app, f"was not imported within {TIMEOUT_S:g} s", process.log_tail())
    if not answer_path.exists():
        raise AppFailed(queue.app, "could not be imported: its process ended without an answer", process.log_tail())
    answer = json.loads(answer_path.read_text(encoding="utf-8"))
    if not answer["ok"]:
        if "\nModuleNotFoundError: " in "\n" + answer["traceback"] and _lacks_library(parts, answer["packages"]):
            raise _library_missing(parts, surroundings)
        raise AppFailed(queue.app, f"could not be imported from {surroundings.cwd}:", answer["traceback"])
    told = {name: answer[name] for name in ("missing", "home", "packages") if answer.get(name)}
    app = App(answer["version"], answer["python"], answer["settings"], answer["tasks"], **told)
    _check_tasks(parts, app)
    _check_settings(queue.settings, app)
    for shape in {job.shape for job in parts.scenario.workload.job} & app.missing.keys():
        raise InvalidRequest(f"workload.job: this app cannot send a {shape}: {app.missing[shape]}")
    return app


def _lacks_library(parts: Parts, packages: dict[str, str]) -> bool:
    installed = {name.lower().replace("_", "-") for name in packages}
    return not getattr(parts.queue, "own_code", False) and parts.queue.library.lower() not in installed


def _library_missing(parts: Parts, surroundings: Surroundings) -> LibraryMissing:
    """Into the harness's own environment with the extra; into another the library alone, since nothing else is needed there."""
    library, python = parts.queue.library, surroundings.python
    if parts.scenario.queue.python is None:
        return LibraryMissing(library, str(python), f"pip install 'jobharness[{parts.scenario.queue.adapter}]'")
    return LibraryMissing(library, str(python), f"{python} -m pip install {library}")


def _check_tasks(parts: Parts, app: App) -> None:
    workload = parts.scenario.workload
    wanted = [task for job in workload.job for task in job.tasks] + [fault.task for fault in parts.scenario.fault]
    if workload.trace is not None:
        wanted += sorted({one.task for one in read_trace(parts.project / workload.trace)})
    for task in wanted:
        if task is not None and task not in app.tasks:
            raise UnknownName(f"task of {parts.scenario.queue.app}", task, app.tasks)


def _check_settings(settings: dict[str, Any], app: App) -> None:
    """A setting that was asked for and that the app reports must be what was asked for."""
    for name, wanted in settings.items():
        if name not in app.settings:
            continue
        live = app.settings[name]
        taken = live == wanted or (
            isinstance(wanted, dict) and isinstance(live, dict) and all(live.get(k) == v for k, v in wanted.items())
        )
        if not taken:
            raise InvalidRequest(
                f"queue.settings.{name}: asked for {wanted!r}, but the live app has {live!r}; the app sets it itself after its "
                "configuration was loaded. Set it in the app, or through an environment variable in queue.env"
            )
