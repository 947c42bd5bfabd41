"""What run.json says of a run: the scenario as run, seed, commit, versions, machine, command."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any, Protocol

import psutil

import jobharness
from jobharness.clock import utc_now
from jobharness.queues.queue import App
from jobharness.runner.folder import RunFolder
from jobharness.runner.masking import without_secrets
from jobharness.runner.parts import Parts

__all__ = ["SCHEMA", "Undertaking", "about"]

SCHEMA = 1


class Undertaking(Protocol):
    """What there is to say something about: a run, or the making of a map."""

    @property
    def parts(self) -> Parts: ...
    @property
    def folder(self) -> RunFolder: ...
    @property
    def app(self) -> App | None: ...
    @property
    def provider(self) -> str: ...
    @property
    def cut_short(self) -> str: ...


def about(run: Undertaking) -> dict[str, Any]:
    """A JSON-able account of the run. Secrets are masked, and paths within the project are relative to it."""
    scenario = run.parts.scenario
    app = run.app
    told: dict[str, Any] = without_secrets(
        {
            "schema": SCHEMA,
            "run": run.folder.run_id,
            "finished_at": utc_now().isoformat(timespec="seconds"),
            "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
            "seed": scenario.seed,
            "source": str(run.parts.source.resolve()) if run.parts.source is not None else None,
            "scenario": scenario.model_dump(exclude_unset=True, by_alias=True),
            "broker": run.provider,
            "app": _app(app) if app is not None else None,
            "git": _git(run.parts.project),
            "versions": {
                "jobharness": jobharness.__version__,
                "python": platform.python_version(),
                "queue": app.version if app else None,
            },
            "machine": {
                "system": platform.platform(),
                "cores": os.cpu_count(),
                "memory_bytes": psutil.virtual_memory().total,
            },
            "cut_short": run.cut_short,
        },
        also=scenario.report.mask,
    )
    relative: dict[str, Any] = _relative_to(run.parts.project, told)
    return relative


def _relative_to(project: Path, value: Any) -> Any:
    """The value with the project's own path taken out of every text: a report is read on other machines."""
    if isinstance(value, dict):
        return {key: _relative_to(project, inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_relative_to(project, inner) for inner in value]
    return value.replace(f"{project}/", "") if isinstance(value, str) else value


def _app(app: App) -> dict[str, Any]:
    return {
        "version": app.version,
        "python": app.python,
        "settings": dict(app.settings),
        "missing": dict(app.missing),
        "home": app.home,
        "packages": dict(app.packages),
    }


def _git(project: Path) -> dict[str, Any] | None:
    def ask(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=project, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return {"commit": ask("rev-parse", "HEAD"), "dirty": bool(ask("status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return None
