"""Virtual environments for the sides of a comparison, built once and kept in the user's cache folder."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Sequence
from pathlib import Path

from jobharness.errors import EnvironmentNotBuilt

__all__ = ["environment", "needs_of"]

LAST_LINES = 12


def environment(*requirements: str, python: str = sys.executable) -> Path:
    """The virtual environment that holds exactly these requirements, such as "rq==1.14.0"; built when there is none yet.

    It is built by uv, in seconds, where uv is installed; by pip where it is not, or where uv could not do it: pip may know of an
    index that uv was not told of. Either compiles what it installs, so that the first run is no slower than the second.
    Blocks while it, or another process, builds it. Raises: EnvironmentNotBuilt with pip's last lines.
    """
    wanted = "\n".join([python, *sorted(requirements)])
    first = "".join(letter if letter.isalnum() or letter in ".-_" else "-" for letter in requirements[0].partition("[")[0])
    name = f"{first.replace('--', '-')}-{hashlib.sha256(wanted.encode()).hexdigest()[:8]}"
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jobharness" / "environments" / name
    complete = folder / "complete"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists():
            uv = _uv()
            if uv is None or not _built_by_uv(uv, python, folder, requirements):
                _run([python, "-m", "venv", "--clear", str(folder)], requirements)
                _run([str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *requirements], requirements)
            complete.write_text(wanted, encoding="utf-8")
    return folder


def needs_of(project: Path) -> list[str]:
    """What a project says that it needs: its requirements.txt, or else the dependencies in its pyproject.toml; empty where it
    says nothing."""
    listed = project / "requirements.txt"
    if listed.is_file():
        lines = (line.partition(" #")[0].strip() for line in listed.read_text(encoding="utf-8").splitlines())
        return [line for line in lines if line and not line.startswith(("#", "-"))]
    described = project / "pyproject.toml"
    if not described.is_file():
        return []
    found: list[str] = tomllib.loads(described.read_text(encoding="utf-8")).get("project", {}).get("dependencies", [])
    return found


def _uv() -> str | None:
    """The program beside this interpreter, or on PATH."""
    return shutil.which("uv", path=sysconfig.get_path("scripts")) or shutil.which("uv")


def _built_by_uv(uv: str, python: str, folder: Path, requirements: Sequence[str]) -> bool:
    """Whether it could. Like pip, it is to trust the machine's certificates."""
    env = {"UV_SYSTEM_CERTS": "true", **os.environ}
    made = [uv, "venv", "--quiet", "--clear", "--python", python, str(folder)]
    filled = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(folder), *requirements]
    return all(subprocess.run(command, env=env, capture_output=True, check=False).returncode == 0 for command in (made, filled))


def _run(command: Sequence[str], requirements: Sequence[str]) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise EnvironmentNotBuilt(requirements, "\n".join(done.stdout.strip().splitlines()[-LAST_LINES:]))
