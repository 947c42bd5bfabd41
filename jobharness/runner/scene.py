"""What a fault sees of the run, and does to it: the processes that the run started, and those that the scenario names."""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

import psutil

from jobharness.brokers.broker import Broker
from jobharness.faults.fault import PROCESS, CanArm, CanMoveClocks, Target
from jobharness.processes.disk import LimitedDisk
from jobharness.runner.attendants import Attendant, Attendants
from jobharness.runner.fleet import Fleet, State, Worker
from jobharness.runner.outsiders import Outsiders
from jobharness.upstream.server import Upstream
from jobharness.wire.control import Wire

__all__ = ["RunScene", "place_order"]

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
        broker: Broker,
        attendants: Attendants,
        upstream: Upstream | None,
        wire: Wire | None,
        armable: CanArm | None,
        mishaps: Path,
        random: Random,
        clocks: CanMoveClocks | None = None,
        disk: LimitedDisk | None = None,
        outsiders: Outsiders | None = None,
    ) -> None:
        self.label, self._fleet, self.upstream, self.wire = label, fleet, upstream, wire
        self.broker, self._attendants = broker, attendants
        self._mishaps, self.random = mishaps, random
        self.steps, self.clocks, self.disk = armable, clocks, disk
        self.sent: set[int] = set()  # Signals sent to main processes.
        self._children: dict[int, psutil.Process] = {}
        self._outsiders = outsiders

    def outside(self, name: str) -> Sequence[Target]:
        """Those that the scenario names and allows."""
        found = self._outsiders.find(name) if self._outsiders is not None else ()
        self._children.update((one.pid, one) for one in found)
        return [Target(f"{PROCESS}{name}", one.pid, child=True) for one in found]

    def workers(self) -> Sequence[Target]:
        """The ready workers."""
        return [Target(w.name, w.process.pid) for w in self._fleet.ready_workers() if w.process is not None]

    def beside(self) -> Sequence[Target]:
        """The producer and the schedulers, those that run."""
        return [
            Target(one.name, one.process.pid)
            for one in self._attendants
            if one.process is not None and one.process.exit_code is None and one.ready
        ]

    def clients(self) -> Sequence[str]:
        """Those whose traffic passes through the proxy, or else the workers and the producer."""
        return self.wire.names if self.wire is not None else [one.name for one in (*self._fleet.workers, *self._attendants)]

    def connections(self, name: str) -> Sequence[int]:
        """Asked of the proxy, where there is one, or else of the system."""
        if self.wire is not None:
            return self.wire.ports(name)
        mains = {one.name: one.process for one in (*self._fleet.workers, *self._attendants)}
        main, port = mains.get(name), urlsplit(self.broker.url).port
        family = [psutil.Process(main.pid), *main.children()] if main is not None and main.exit_code is None else []
        return [one.laddr.port for process in family for one in _sockets(process) if one.raddr and one.raddr.port == port]

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
        place_order(self._order_path(), order)

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
        one = self._worker(target) or self._attendant(target)
        return one is not None and one.process is not None and one.process.exit_code is None

    def signal(self, target: Target, number: int) -> None:
        """Send a signal."""
        if target.child:
            with suppress(KeyError, psutil.NoSuchProcess):
                self._children[target.pid].send_signal(number)
            return
        attendant = self._attendant(target)
        if attendant is not None and attendant.process is not None:
            attendant.ended |= number in ENDING
            attendant.process.signal(number)
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

    def _attendant(self, target: Target) -> Attendant | None:
        """The producer or the scheduler whose living process the target is."""
        for one in self._attendants:
            if one.name == target.worker and one.process is not None and one.process.pid == target.pid:
                return one
        return None

    def _pool(self, name: str) -> list[psutil.Process]:
        return [
            child
            for worker in self._fleet.workers
            if worker.name == name and worker.process is not None
            for child in worker.process.children()
        ]


def place_order(path: Path, order: Mapping[str, Any]) -> None:
    """Write an order of a mishap (see `agent.mishaps`), whole at once. `path`: in the run's folder of mishaps."""
    (path.parent / "hits").mkdir(exist_ok=True)
    hidden = path.with_suffix(".new")
    hidden.write_text(json.dumps(dict(order)), encoding="utf-8")
    hidden.rename(path)


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _sockets(process: psutil.Process) -> Sequence[Any]:
    try:
        return list(process.net_connections("tcp"))
    except psutil.Error:
        return ()
