"""Samples what the workers use: resident memory, open descriptors and processor time, each of a worker's main
process and its children."""

from __future__ import annotations

from collections.abc import Iterable

import psutil

from jobharness.agent.recorder import Recorder
from jobharness.clock import NS_PER_S, now_ns
from jobharness.history.event import Kind
from jobharness.runner.fleet import Worker

__all__ = ["Sampler"]

EVERY_NS = NS_PER_S
"""Often enough for a slope over a run of seconds; one look at a worker costs about 5 ms."""


class Sampler:
    """Records a sample of every worker once a second, when it is asked to look. Not for two threads at once.

    `memory_limit_bytes`: what the scenario says a worker may use; None: what its process or the machine has.
    """

    def __init__(self, recorder: Recorder, memory_limit_bytes: float | None = None) -> None:
        self._recorder, self._memory_limit = recorder, memory_limit_bytes
        self._next_ns = 0
        self._limited: set[int] = set()

    def look(self, workers: Iterable[Worker]) -> None:
        """Sample the workers that run, if it is time."""
        if now_ns() < self._next_ns:
            return
        self._next_ns = now_ns() + EVERY_NS
        for worker in workers:
            if worker.process is not None and worker.process.exit_code is None:
                self._sample(worker.name, worker.process.pid)

    def _sample(self, name: str, pid: int) -> None:
        try:
            main = psutil.Process(pid)
            used = [_used(process) for process in (main, *main.children(recursive=True))]
            limit = self._limit(main) if pid not in self._limited else None
        except psutil.Error:
            return  # It has just ended.
        text, group = self._recorder.text(name), self._recorder.text(str(pid))
        kinds = (Kind.RESOURCE_MEMORY, Kind.RESOURCE_DESCRIPTORS, Kind.RESOURCE_CPU)
        for kind, values in zip(kinds, zip(*used, strict=True), strict=True):
            self._recorder.record(kind, value=sum(values), text=text, group=group)
        if limit is not None:
            self._limited.add(pid)
            self._recorder.record(Kind.RESOURCE_MEMORY_LIMIT, value=limit, text=text, group=group)

    def _limit(self, process: psutil.Process) -> int:
        return round(self._memory_limit) if self._memory_limit is not None else _limit(process)


def _used(process: psutil.Process) -> tuple[int, int, int]:
    """Bytes, descriptors, ns. A child that has just ended uses nothing."""
    try:
        with process.oneshot():
            times = process.cpu_times()
            return process.memory_info().rss, process.num_fds(), int((times.user + times.system) * NS_PER_S)
    except psutil.Error:
        return 0, 0, 0


def _limit(process: psutil.Process) -> int:
    """The most memory that the process may have: its own limit, or the machine's memory."""
    machine = int(psutil.virtual_memory().total)
    if not hasattr(psutil, "RLIMIT_AS"):
        return machine
    own, _ = process.rlimit(psutil.RLIMIT_AS)
    return machine if own in (-1, psutil.RLIM_INFINITY) else min(machine, own)
