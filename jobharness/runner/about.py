"""What run.json says of a run: the scenario as run, seed, commit, versions, machine, command."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psutil

import jobharness
from jobharness.clock import utc_now
from jobharness.queues.queue import App
from jobharness.runner.run import Run

__all__ = ["about", "without_secrets"]

SCHEMA = 1
SECRET_WORDS = ("password", "passwd", "secret", "token", "api_key", "apikey", "credential", "dsn", "private_key")


def about(run: Run) -> dict[str, Any]:
    """A JSON-able account of the run. Passwords in URLs, and values whose names speak of secrets, are masked."""
    scenario = run.parts.scenario
    app = run.app
    told: dict[str, Any] = without_secrets(
        {
            "schema": SCHEMA,
            "run": run.folder.run_id,
            "finished_at": utc_now().isoformat(timespec="seconds"),
            "command": sys.argv,
            "seed": scenario.seed,
            "source": str(run.parts.source) if run.parts.source is not None else None,
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
        }
    )
    return told


def without_secrets(value: Any, name: str = "") -> Any:
    """The value with every secret in it masked, in any depth."""
    if isinstance(value, dict):
        return {key: without_secrets(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [without_secrets(inner, name) for inner in value]
    if value and any(word in name.lower() for word in SECRET_WORDS):
        return "***"
    return _mask_url(value) if isinstance(value, str) and "://" in value else value


def _app(app: App) -> dict[str, Any]:
    return {
        "version": app.version,
        "python": app.python,
        "settings": dict(app.settings),
        "missing": dict(app.missing),
    }


def _mask_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        if parts.password is None:
            return text
    except ValueError:
        return text
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username or ''}:***@{place}"))


def _git(project: Path) -> dict[str, Any] | None:
    def ask(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=project, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return {"commit": ask("rev-parse", "HEAD"), "dirty": bool(ask("status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return None
