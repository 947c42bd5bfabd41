"""The guardian: a small process that outlives the harness and ends everything the run started.

Every process of a run carries the run's mark, and so do all that descend from it, whatever session or parent they have: in its
environment, and in the path of the log that is its standard output. Two places, because servers that set their process title
(Redis, PostgreSQL, everything with `setproctitle`) write it over their environment. The guardian waits at one end of a pipe. When
the harness ends, by whatever death, the pipe closes, and the guardian kills every process with the mark, and its descendants,
until none is left, and unmounts what was mounted under it.

    harness --pipe--> guardian
       `-> broker, workers, producer, ... (all marked)
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import psutil

from jobharness.errors import EnvironmentFailed
from jobharness.processes.disk import unmount_marked

__all__ = ["MARK", "Guardian", "marked", "sweep"]

MARK = "JOBHARNESS_RUN"
SWEEP_PAUSE_S = 0.02
QUIET_ROUNDS = 3  # A process that was forking while one round looked is seen by the next.


def marked(mark: str) -> list[psutil.Process]:
    """The living processes that carry the mark, or descend from one that does, but for the caller.

    Zombies do not count: they run no code. `mark`: the run's id, which is also the name of the folder that its logs are in.
    """
    # Each is judged as it is met: a process that goes on forking is another one a few milliseconds later.
    found = {process.pid: process for process in psutil.process_iter() if process.pid != os.getpid() and _carries(process, mark)}
    if found:
        found.update(_descendants(found))
    return [process for process in found.values() if _runs(process)]


def _descendants(ancestors: Mapping[int, psutil.Process]) -> dict[int, psutil.Process]:
    children: dict[int, list[psutil.Process]] = {}
    for process in psutil.process_iter(["ppid"]):
        children.setdefault(process.info["ppid"], []).append(process)
    found: dict[int, psutil.Process] = {}
    waiting = list(ancestors)
    while waiting:
        for child in children.get(waiting.pop(), []):
            if child.pid not in found and child.pid != os.getpid():
                found[child.pid] = child
                waiting.append(child.pid)
    return found


def _carries(process: psutil.Process, mark: str) -> bool:
    try:
        return f"{MARK}={mark}".encode() in _environment(process) or any(f"/{mark}/" in path for path in _outputs(process))
    except (psutil.Error, OSError):
        return False


def _environment(process: psutil.Process) -> list[bytes]:
    # Linux: read as bytes, since decoding every environment of a machine costs more than reading it.
    raw = Path(f"/proc/{process.pid}/environ")
    if raw.exists():
        return raw.read_bytes().split(b"\0")
    return [f"{name}={value}".encode() for name, value in process.environ().items()]


def _outputs(process: psutil.Process) -> list[str]:
    """Where its standard output and error go; nothing where this system cannot tell."""
    paths = (Path(f"/proc/{process.pid}/fd/{descriptor}") for descriptor in (1, 2))
    return [str(path.readlink()) for path in paths if path.is_symlink()]


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def sweep(mark: str, timeout_s: float = 10.0) -> list[str]:
    """Kill every marked process until none has been seen for a few rounds; returns what was killed, by command.

    Blocks for `timeout_s` at most; what survives that is left (it belongs to another user, or hangs in the kernel).
    """
    killed: dict[int, str] = {}
    quiet, deadline = 0, time.monotonic() + timeout_s
    while quiet < QUIET_ROUNDS and time.monotonic() < deadline:
        found = marked(mark)
        quiet = 0 if found else quiet + 1
        for process in found:
            try:
                killed.setdefault(process.pid, " ".join(process.cmdline())[:200])
                process.kill()
            except psutil.Error:
                continue
        time.sleep(SWEEP_PAUSE_S)
    return list(killed.values())


class Guardian:
    """Holds a guardian process for one run. Use it as a context: leaving it, in whatever way, ends all that carries the mark.

    Args: `mark`: unlike that of any other run on this machine; `data`: a folder that is of use to nobody once its processes
    have gone, and that goes with them, should the harness not be there to remove it.
    """

    def __init__(self, mark: str, data: Path | None = None) -> None:
        self.mark, self._data = mark, data
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Guardian:
        # A session of its own: a Ctrl-C in the terminal must not end the one who cleans up after it.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "jobharness.processes.guardian", self.mark, str(self._data or "")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={name: value for name, value in os.environ.items() if name != MARK},
        )
        assert self._process.stdout is not None
        if self._process.stdout.readline() != b"ready\n":
            raise EnvironmentFailed("the guardian process that cleans up after a run could not be started")
        return self

    def check(self) -> None:
        """Raises: EnvironmentFailed if the guardian is gone, since a run without it could leave processes behind."""
        if self._process is None or self._process.poll() is not None:
            raise EnvironmentFailed("the guardian process that cleans up after a run was ended from outside")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        sweep(self.mark)
        unmount_marked(self.mark)
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait()
            if self._process.stdout is not None:
                self._process.stdout.close()


def main(mark: str, data: str = "") -> None:
    """Say that we are here, wait until the harness is gone, then clean up; in a run that ended in order nothing is left to do."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.buffer.read()
    sweep(mark)
    unmount_marked(mark)
    if data:
        shutil.rmtree(data, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
