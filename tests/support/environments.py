"""Virtual environments with the oldest and the newest versions of a library, built once and kept in the user's cache folder."""

import fcntl
import hashlib
import os
import subprocess
import sys
from pathlib import Path

__all__ = ["environment", "wanted"]


def wanted(module, which: str, broker: str):
    """`(python, requirements)` that a module of conformance subjects names as `which` (NEWEST, OLDEST), alone or by kind of broker;
    None where it names none.
    """
    named = getattr(module, which, None)
    return named[broker] if isinstance(named, dict) else named


def environment(*requirements: str, python: str = sys.executable) -> Path:
    """The virtual environment that holds exactly these requirements, such as "rq==1.14.0"; built when there is none yet.

    Blocks while it, or another process, builds it. Raises: subprocess.CalledProcessError with pip's output.
    """
    wanted = "\n".join([python, *sorted(requirements)])
    name = requirements[0].partition("[")[0].replace("==", "-") + "-" + hashlib.sha256(wanted.encode()).hexdigest()[:8]
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jobharness" / "environments" / name
    complete = folder / "complete"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists():
            run = {"check": True, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
            subprocess.run([python, "-m", "venv", "--clear", str(folder)], **run)
            subprocess.run([str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *requirements], **run)
            complete.write_text(wanted, encoding="utf-8")
    return folder
