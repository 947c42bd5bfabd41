"""What a fault sees of the run, and does to it: the processes that the run started, and no others."""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import psutil

from jobharness.faults.fault import CanArm, CanMoveClocks, Target
from jobharness.processes.disk import LimitedDisk
from jobharness.runner.fleet import Fleet, State, Worker
from jobharness.upstream.server import Upstream
from jobharness.wire.control import Wire

__all__ = ["RunScene"]

ENDING = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


class RunScene:
    """See `faults.fault.Scene`.

    A worker is found anew at each call: a process id alone could be another's by then. A child is remembered from when it was
    aimed at (psutil tells it from a later process of the same id): once its worker is killed it is nobody's child any more.
    """

    def __init__(
        self,
        label: str,
        fleet: Fleet,
        upstream: Upstream | None,
        wire: Wire | None,
        armable: CanArm | None,
        mishaps: Path,
        random: Random,
        clocks: CanMoveClocks | None = None,
        disk: LimitedDisk | None = None,
    ) -> None:
        self.label, self._fleet, self.upstream, self.wire = label, fleet, upstream, wire
        self._mishaps, self.random = mishaps, random
        self.steps, self.clocks, self.disk = armable, clocks, disk
        self.sent: set[int] = set()  # Signals sent to main processes.
        self._children: dict[int, psutil.Process] = {}

    def workers(self) -> Sequence[Target]:
        """The ready workers."""
        return [Target(w.name, w.process.pid) for w in self._fleet.ready_workers() if w.process is not None]

    def children(self, worker: str) -> Sequence[Target]:
        """The pool of a worker."""
        found = self._pool(worker)
        self._children.update((child.pid, child) for child in found)
        return [Target(worker, child.pid, child=True) for child in found]

    @property
    def whole(self) -> bool:
        """Whether every worker is ready."""
        return self._fleet.whole

    def memory_bytes(self, target: Target) -> int:
        """The resident memory of a process."""
        try:
            return int(psutil.Process(target.pid).memory_info().rss)
        except psutil.Error:
            return 0

    def redeploy(self, env: Mapping[str, str], folder: str | None) -> None:
        """Change what replacements are started with."""
        self._fleet.redeploy(env, folder)

    def order_mishap(self, order: Mapping[str, Any]) -> None:
        """Write the order, whole at once."""
        path = self._order_path()
        (path.parent / "hits").mkdir(exist_ok=True)
        hidden = path.with_suffix(".new")
        hidden.write_text(json.dumps(dict(order)), encoding="utf-8")
        hidden.rename(path)

    def cancel_mishap(self) -> None:
        """Remove the order."""
        self._order_path().unlink(missing_ok=True)

    def _order_path(self) -> Path:
        return self._mishaps / f"{self.label.replace('/', '_')}.json"

    def alive(self, target: Target) -> bool:
        """Whether the process still runs."""
        if target.child:
            child = self._children.get(target.pid)
            return child is not None and _runs(child)
        worker = self._worker(target)
        return worker is not None and worker.process is not None and worker.process.exit_code is None

    def signal(self, target: Target, number: int) -> None:
        """Send a signal."""
        if target.child:
            with suppress(KeyError, psutil.NoSuchProcess):
                self._children[target.pid].send_signal(number)
            return
        worker = self._worker(target)
        if worker is None or worker.process is None:
            return
        worker.process.signal(number)
        self.sent.add(number)
        if number in ENDING and worker.state is not State.GONE:
            self._fleet.ending(worker)

    def _worker(self, target: Target) -> Worker | None:
        """The worker whose living main process the target is."""
        for worker in self._fleet.workers:
            if worker.name == target.worker and worker.process is not None and worker.process.pid == target.pid:
                return worker
        return None

    def _pool(self, name: str) -> list[psutil.Process]:
        return [
            child
            for worker in self._fleet.workers
            if worker.name == name and worker.process is not None
            for child in worker.process.children()
        ]


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
