"""The workers of a run: started by their users' command, watched, and replaced as a process manager would."""

from __future__ import annotations

import signal
from collections.abc import Iterable
from dataclasses import dataclass, field

from jobharness.agent.recorder import Recorder
from jobharness.clock import deadline_ns, now_ns
from jobharness.errors import ProcessFailed
from jobharness.history.event import Kind
from jobharness.history.follow import News
from jobharness.processes.process import Process, wait_for
from jobharness.queues.queue import Queue
from jobharness.runner.folder import RunFolder
from jobharness.runner.surroundings import Surroundings
from jobharness.scenario.model import QueueSpec

__all__ = ["Fleet", "Worker"]


@dataclass
class Worker:
    """One worker by name, through all its processes. `restart_ns`: when its replacement is due."""

    name: str
    process: Process | None = None
    ready: bool = False
    started_ns: int = 0
    restart_ns: int | None = None
    exits: list[int] = field(default_factory=list)


class Fleet:
    """Starts `queue.workers` workers and keeps them. Not for two threads at once."""

    def __init__(
        self, spec: QueueSpec, queue: Queue, surroundings: Surroundings, folder: RunFolder, recorder: Recorder, mark: str
    ) -> None:
        self._spec, self._queue, self._surroundings = spec, queue, surroundings
        self._folder, self._recorder, self._mark = folder, recorder, mark
        self.workers = [Worker(f"worker-{number}") for number in range(1, spec.workers + 1)]
        self._stopping = False

    def start(self) -> None:
        """Start every worker; readiness comes later, as an event. Raises: ProcessFailed."""
        for worker in self.workers:
            self._launch(worker)

    def _launch(self, worker: Worker) -> None:
        worker.process = Process(
            worker.name,
            self._queue.worker_command(self._surroundings.python, worker.name),
            env=self._surroundings.for_process("worker", worker.name),
            folder=self._surroundings.cwd,
            log=self._folder.logs / f"{worker.name}.log",
            mark=self._mark,
        )
        worker.ready, worker.started_ns, worker.restart_ns = False, now_ns(), None
        name = self._recorder.text(worker.name)
        self._recorder.record(Kind.WORKER_STARTED, value=worker.process.pid, text=name)

    def see(self, news: Iterable[News]) -> None:
        """Learn from events which workers are ready."""
        for one in news:
            if one.kind is Kind.WORKER_READY:
                for worker in self.workers:
                    if worker.process is not None and worker.process.pid == one.process:
                        worker.ready = True

    def tend(self) -> list[Worker]:
        """Notice exits, start the replacements that are due; returns the workers that exited since the last call.

        Raises: ProcessFailed when a worker did not become ready in time.
        """
        gone = []
        for worker in self.workers:
            if worker.process is None:
                if worker.restart_ns is not None and now_ns() >= worker.restart_ns:
                    self._launch(worker)
                continue
            code = worker.process.exit_code
            if code is not None:
                self._exited(worker, code)
                gone.append(worker)
            elif not worker.ready and now_ns() > worker.started_ns + round(self._spec.ready_within * 1e9):
                tail = worker.process.log_tail()
                raise ProcessFailed(worker.name, f"was not ready within {self._spec.ready_within:g} s of its start", tail)
        return gone

    def _exited(self, worker: Worker, code: int) -> None:
        name = self._recorder.text(worker.name)
        self._recorder.record(Kind.WORKER_EXITED, value=code, text=name)
        if not worker.ready and code >= 0:
            assert worker.process is not None
            raise ProcessFailed(worker.name, f"exited with code {code} before it was ready", worker.process.log_tail())
        worker.exits.append(code)
        worker.process, worker.ready = None, False
        again = {"always": True, "on-failure": code != 0, "never": False}[self._spec.restart]
        if again and not self._stopping:
            worker.restart_ns = deadline_ns(self._spec.restart_delay)

    @property
    def whole(self) -> bool:
        """Whether every worker that will run is ready."""
        return all(worker.ready or (worker.process is None and worker.restart_ns is None) for worker in self.workers)

    def ready_workers(self) -> list[Worker]:
        """Those that take jobs, in the order of their names."""
        return [worker for worker in self.workers if worker.ready and worker.process is not None]

    def stop(self, grace_s: float) -> None:
        """SIGTERM to all at once, SIGKILL to those that have not ended within `grace_s`. Safe to call twice."""
        self._stopping = True
        running = [worker.process for worker in self.workers if worker.process is not None]
        for process in running:
            process.signal(signal.SIGTERM)
        wait_for(lambda: all(process.exit_code is not None for process in running), grace_s)
        for process in running:
            process.stop(grace_s=0)
        for worker in self.workers:
            if worker.process is not None:
                code = worker.process.exit_code or 0
                self._recorder.record(Kind.WORKER_EXITED, value=code, text=self._recorder.text(worker.name))
                worker.process, worker.ready = None, False
