"""The harness's side of a zygote: starts it, has it fork processes, and gives each out as a `Process`."""

from __future__ import annotations

import array
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jobharness.errors import ProcessFailed
from jobharness.processes.guardian import MARK
from jobharness.processes.process import POLL_S, Process

__all__ = ["Forked", "Zygote"]

READY_WITHIN_S = 30.0
ANSWERS_WITHIN_S = 15.0
LISTEN_EVERY_S = 0.005  # All who ask for their fork are served by one look.


class Forked(Process):
    """A process that a zygote forked. As `Process`, but that the zygote reaps it."""

    def __init__(self, zygote: Zygote, name: str, command: Sequence[str], log: Path, pid: int) -> None:
        self.name, self.command, self.log = name, list(command), log
        self._log_start = 0
        self._zygote, self._pid = zygote, pid

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; its exit code, or the negative number of the signal that ended it."""
        return self._zygote.code_of(self._pid)

    def signal(self, number: int) -> None:
        """Send a signal to it alone. Nothing happens when it is gone."""
        if self.exit_code is None:
            try:
                os.kill(self._pid, number)
            except ProcessLookupError:
                return

    def wait(self, timeout_s: float) -> int | None:
        """Its exit code, or None if it still runs after `timeout_s`."""
        limit = time.monotonic() + timeout_s
        while (code := self.exit_code) is None and time.monotonic() < limit:
            time.sleep(POLL_S)
        return code

    def stop(self, grace_s: float) -> int:
        """SIGTERM, and SIGKILL for it and its descendants when it has not ended within `grace_s`. Returns its exit code."""
        family = self.children()
        self.signal(signal.SIGTERM)
        if self.wait(grace_s) is None:
            self.signal(signal.SIGKILL)
            self.wait(ANSWERS_WITHIN_S)
        for child in family:
            self._kill(child)
        return self.exit_code or 0


class Zygote:
    """One warm process. Several threads may ask it. It becomes warm meanwhile; who asks it first waits for that.

    Args: `python`: the interpreter; `env`: the environment of the zygote itself; `modules`: what it imports beforehand.
    Raises: ProcessFailed where it cannot be started at all.
    """

    def __init__(
        self, python: Path, env: Mapping[str, str], folder: Path, log: Path, mark: str, modules: Sequence[str], module: str
    ) -> None:
        self._python, self._mark = python, mark
        self._lock = threading.Lock()
        self._codes: dict[int, int] = {}
        self._unread, self._is_ready = b"", False
        self._listens_at = 0.0
        ours, theirs = socket.socketpair()
        command = [str(python), "-m", module, str(theirs.fileno()), json.dumps(list(modules))]
        with theirs:
            self._process = Process("zygote", command, env=env, folder=folder, log=log, mark=mark, keep=[theirs.fileno()])
        self._control = ours

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        folder: Path,
        log: Path,
        mark: str,
        keep: Sequence[int] = (),
    ) -> Process:
        """A process as `Process` starts it, forked where the command is Python's; else a process of its own.

        Raises: ProcessFailed, too where the zygote does not become ready.
        """
        if not self._is_python(command):
            return Process(name, command, env=env, folder=folder, log=log, mark=mark, keep=keep)
        asked = {"argv": list(command), "env": {**env, MARK: mark}, "folder": str(folder), "log": str(log), "keep": list(keep)}
        beside = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", keep))] if keep else []
        data = json.dumps(asked).encode() + b"\n"
        log.touch()  # Who looks at its last lines need not wait until the fork has opened it.
        with self._lock:
            try:
                self._await_ready()
                self._control.settimeout(ANSWERS_WITHIN_S)
                sent = self._control.sendmsg([data], beside)
                self._control.sendall(data[sent:])
                pid = int(self._hear("pid")["pid"])
            except OSError as error:
                raise ProcessFailed("zygote", f"did not fork {name} ({error})", self._process.log_tail()) from error
        return Forked(self, name, command, log, pid)

    def _await_ready(self) -> None:
        if not self._is_ready:
            self._control.settimeout(READY_WITHIN_S)
            self._hear("ready")
            self._is_ready = True

    def _is_python(self, command: Sequence[str]) -> bool:
        if command[0] == str(self._python):
            return len(command) > 1 and (command[1].endswith(".py") or (command[1] == "-m" and len(command) > 2))
        try:
            with Path(command[0]).open("rb") as script:
                first = script.readline()
        except OSError:
            return False
        # A script that another interpreter runs, or a shell, is not ours to run.
        return first.startswith(b"#!") and first[2:].strip() in (str(self._python).encode(), str(self._python.resolve()).encode())

    def code_of(self, pid: int) -> int | None:
        """The exit code of a fork; None while it runs. A zygote that is gone cannot say, so its forks count as killed."""
        with self._lock:
            if pid not in self._codes and time.monotonic() > self._listens_at:
                self._listen()
                self._listens_at = time.monotonic() + LISTEN_EVERY_S
                if pid not in self._codes and self._process.exit_code is not None and not Path(f"/proc/{pid}").exists():
                    self._codes[pid] = -signal.SIGKILL
            return self._codes.get(pid)

    def _listen(self) -> None:
        """Take in what it said, without waiting."""
        self._control.settimeout(0.0)
        try:
            while data := self._control.recv(65536):
                self._unread += data
        except (BlockingIOError, OSError):
            pass
        while b"\n" in self._unread:
            self._note()

    def _note(self) -> dict[str, Any]:
        line, _, self._unread = self._unread.partition(b"\n")
        said: dict[str, Any] = json.loads(line)
        if "ended" in said:
            self._codes[said["ended"]] = said["code"]
        return said

    def _hear(self, word: str) -> dict[str, Any]:
        """The next answer with this word. Raises: ProcessFailed when there comes none."""
        while True:
            while b"\n" in self._unread:
                said = self._note()
                if word in said:
                    return said
            try:
                data = self._control.recv(65536)
            except OSError as error:
                raise ProcessFailed("zygote", f"did not answer ({error})", self._process.log_tail()) from error
            if not data:
                raise ProcessFailed("zygote", "ended by itself", self._process.log_tail())
            self._unread += data

    def stop(self) -> None:
        """End it; what it forked lives on. Safe to call twice."""
        self._control.close()
        self._process.stop(grace_s=0)
