"""Writes the workflow that runs the scenarios in CI and keeps their reports. Never writes over a file."""

from __future__ import annotations

from importlib.metadata import metadata
from importlib.resources import files
from pathlib import Path
from typing import Literal

__all__ = ["PLACES", "Provider", "write_workflow"]

Provider = Literal["github", "gitlab"]
SERVERS = {"rabbitmq": "rabbitmq-server", "nats": "nats-server"}
"""Debian's packages of the servers that no wheel carries."""
PLACES = {"github": ".github/workflows/jobharness.yml", "gitlab": ".gitlab/jobharness.yml"}


def write_workflow(provider: Provider, project: Path, library: str, broker: str) -> tuple[Path, bool]:
    """Write it, for an app of this library on this kind of broker. Returns its path, and whether it was written or was there
    already. Raises: OSError where the project cannot be written."""
    path = project / PLACES[provider]
    if path.exists():
        return path, False
    text = files("jobharness.detect").joinpath(f"templates/{provider}.yml").read_text(encoding="utf-8")
    known = metadata("jobharness").get_all("Provides-Extra") or []
    extras = [name for name in (library, broker, "embedded", "upstream") if name in known]
    filled = {"@EXTRAS@": ",".join(extras), "@INSTALL@": _install(project), "@SERVER@": SERVERS.get(broker, "")}
    for mark, value in filled.items():
        # A line that has nothing to say is left out.
        text = "".join(line.replace(mark, value) for line in text.splitlines(keepends=True) if mark not in line or value)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path, True


def _install(project: Path) -> str:
    """What installs the app itself; "" where nothing says."""
    if (project / "requirements.txt").exists():
        return "pip install -r requirements.txt"
    return "pip install ." if (project / "pyproject.toml").exists() or (project / "setup.py").exists() else ""
