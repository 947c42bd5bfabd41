"""The Python interpreters of this machine."""

import os
import shutil
import subprocess
from pathlib import Path

__all__ = ["VERSIONS", "interpreter"]

VERSIONS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13")


def interpreter(version: str) -> str | None:
    """The path of an interpreter of this version, such as "3.8": from PATH or among pyenv's; None where there is none that runs."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found = [shutil.which(f"python{version}"), *sorted(str(path) for path in root.glob(f"{version}.*/bin/python"))]
    return next((path for path in found if path is not None and _runs(path, version)), None)


def _runs(path: str, version: str) -> bool:
    """A shim on PATH may stand for an interpreter that is not switched on."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run([path, "-c", code], capture_output=True, text=True, check=False)
    return done.returncode == 0 and done.stdout.strip() == version
