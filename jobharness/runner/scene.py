"""What a fault sees of the run, and does to it: the processes that the run started, and no others."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from contextlib import suppress
from random import Random

import psutil

from jobharness.faults.fault import Target
from jobharness.runner.fleet import Fleet, State, Worker
from jobharness.upstream.server import Upstream

__all__ = ["RunScene"]

ENDING = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


class RunScene:
    """See `faults.fault.Scene`. Finds a target's process anew at each call: a process id alone could be another's by then."""

    def __init__(self, label: str, fleet: Fleet, upstream: Upstream | None, random: Random) -> None:
        self.label, self._fleet, self.upstream, self.random = label, fleet, upstream, random

    def workers(self) -> Sequence[Target]:
        """The ready workers."""
        return [Target(w.name, w.process.pid) for w in self._fleet.ready_workers() if w.process is not None]

    def children(self, worker: str) -> Sequence[Target]:
        """The pool of a worker."""
        return [Target(worker, child.pid, child=True) for child in self._pool(worker)]

    def alive(self, target: Target) -> bool:
        """Whether the process still runs."""
        if target.child:
            return any(child.pid == target.pid for child in self._pool(target.worker))
        worker = self._worker(target)
        return worker is not None and worker.process is not None and worker.process.exit_code is None

    def signal(self, target: Target, number: int) -> None:
        """Send a signal."""
        if target.child:
            for child in self._pool(target.worker):
                if child.pid == target.pid:
                    with suppress(psutil.NoSuchProcess):
                        child.send_signal(number)
            return
        worker = self._worker(target)
        if worker is None or worker.process is None:
            return
        worker.process.signal(number)
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
