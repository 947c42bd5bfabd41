"""One process that the run started: its command, its log, its end."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from jobharness.errors import ProcessFailed
from jobharness.processes.guardian import MARK

__all__ = ["POLL_S", "Process", "is_alive", "runs_code", "wait_for"]

POLL_S = 0.005


def wait_for(condition: Callable[[], bool], timeout_s: float) -> bool:
    """Wait until the condition is true; False when `timeout_s` passed first. Blocks that long at most."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


class Process:
    """A child process in a session of its own, its output in one log file. Not for two threads at once.

    Args: `name` as the scenario knows it; `mark` of the run, the name of a folder on the way to `log` too (see `guardian`);
    `env` is the whole environment; `keep`: descriptors that it inherits.
    Raises: ProcessFailed when the command cannot be started at all.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        folder: Path,
        log: Path,
        mark: str,
        keep: Sequence[int] = (),
    ) -> None:
        self.name, self.command, self.log = name, list(command), log
        self._log_start = log.stat().st_size if log.exists() else 0
        try:
            with log.open("ab") as output:
                self._popen = subprocess.Popen(
                    self.command,
                    env={**env, MARK: mark},
                    cwd=folder,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    pass_fds=keep,
                )
        except OSError as error:
            raise ProcessFailed(name, f"could not be started ({command[0]}: {error.strerror})") from error

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; its exit code, or the negative number of the signal that ended it. Reaps it."""
        return self._popen.poll()

    def children(self) -> list[psutil.Process]:
        """Its living descendants, in no order."""
        return [child for child in _descendants(self.pid) if is_alive(child)]

    def signal(self, number: int) -> None:
        """Send a signal to it alone. Nothing happens when it is gone."""
        if self.exit_code is None:
            self._popen.send_signal(number)

    def wait(self, timeout_s: float) -> int | None:
        """Its exit code, or None if it still runs after `timeout_s`."""
        try:
            return self._popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def stop(self, grace_s: float) -> int:
        """SIGTERM, and SIGKILL for it and its descendants when it has not ended within `grace_s`. Returns its exit code."""
        family = self.children()
        self.signal(signal.SIGTERM)
        if self.wait(grace_s) is None:
            self.signal(signal.SIGKILL)
        code = self._popen.wait()
        for child in family:
            self._kill(child)
        return code

    def _kill(self, child: psutil.Process) -> None:
        with suppress(psutil.Error):
            child.kill()

    def log_tail(self, lines: int = 12) -> str:
        """The last lines it wrote."""
        with self.log.open("rb") as log:
            log.seek(0, os.SEEK_END)
            log.seek(max(self._log_start, log.tell() - 16384))
            return "\n".join(log.read().decode("utf-8", "replace").splitlines()[-lines:])


def _descendants(pid: int) -> list[psutil.Process]:
    """All that descend from a process. Linux lists the children of each thread; elsewhere psutil looks through every process."""
    found: list[psutil.Process] = []
    try:
        waiting = [pid]
        while waiting:
            here = waiting.pop()
            for listed in Path(f"/proc/{here}/task").glob("*/children"):
                for child in map(int, listed.read_text(encoding="ascii").split()):
                    waiting.append(child)
                    found.append(psutil.Process(child))
    except (OSError, psutil.Error):
        pass  # One ended while it was looked at.
    else:
        if found or Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").exists():
            return found
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def runs_code(pid: int) -> bool:
    """Whether there is a process of that id, and it is no zombie."""
    try:
        return is_alive(psutil.Process(pid))
    except psutil.Error:
        return False


def is_alive(process: psutil.Process) -> bool:
    """Whether a process, not of ours perhaps, still runs code: a zombie that nobody has reaped yet does not."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
