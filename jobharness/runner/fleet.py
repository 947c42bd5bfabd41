"""The workers of a run: started by their users' command, watched, and replaced as a process manager would."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from jobharness.agent.recorder import Recorder
from jobharness.clock import NS_PER_S, deadline_ns, now_ns
from jobharness.errors import ProcessFailed
from jobharness.history.event import Kind
from jobharness.history.follow import News
from jobharness.processes.process import Process, wait_for
from jobharness.runner.folder import RunFolder
from jobharness.runner.surroundings import Surroundings
from jobharness.scenario.model import QueueSpec

__all__ = ["Fleet", "State", "Worker"]


class State(Enum):
    """Where a worker is in its life. `ENDING`: told to stop or killed, its process not gone yet; `GONE`: no process."""

    STARTING = "starting"
    READY = "ready"
    ENDING = "ending"
    GONE = "gone"


@dataclass
class Worker:
    """One worker by name, through all its processes.

    `wanted_ns`: since when it should have been ready. `restart_ns`: when its replacement is due; None: there will be none.
    `launched_ns`: when its present process was started. `ready_pids`: those of its processes that take jobs.
    """

    name: str
    process: Process | None = None
    state: State = State.GONE
    wanted_ns: int = 0
    launched_ns: int = 0
    restart_ns: int | None = None
    ready_pids: set[int] = field(default_factory=set)
    served: bool = False
    exits: list[int] = field(default_factory=list)


class Fleet:
    """Starts `queue.workers` workers and keeps them, each by `start`. Not for two threads at once."""

    def __init__(
        self,
        spec: QueueSpec,
        surroundings: Surroundings,
        folder: RunFolder,
        recorder: Recorder,
        mark: str,
        start: Callable[..., Process] = Process,
    ) -> None:
        self._spec, self._surroundings = spec, surroundings
        self._folder, self._recorder, self._mark, self._start = folder, recorder, mark, start
        self.workers = [Worker(f"worker-{number}") for number in range(1, spec.workers + 1)]
        self._stopping = False
        self._overlay: dict[str, str] = {}
        self._cwd = surroundings.cwd

    def start(self) -> None:
        """Start every worker; readiness comes later, as an event. Raises: ProcessFailed."""
        for worker in self.workers:
            worker.wanted_ns = now_ns()
            self._launch(worker)

    def _launch(self, worker: Worker) -> None:
        worker.launched_ns, worker.ready_pids = now_ns(), set()
        worker.process = self._start(
            worker.name,
            self._surroundings.worker_command(worker.name),
            env={**self._surroundings.for_process("worker", worker.name), **self._overlay},
            folder=self._cwd,
            log=self._folder.logs / f"{worker.name}.log",
            mark=self._mark,
        )
        worker.state, worker.restart_ns = State.STARTING, None
        name = self._recorder.text(worker.name)
        self._recorder.record(Kind.WORKER_STARTED, value=worker.process.pid, text=name)

    def see(self, news: Iterable[News]) -> None:
        """Learn from events which workers are ready: those of which as many processes take jobs as the event says there are."""
        for one in news:
            if one.kind is Kind.WORKER_READY:
                for worker in self.workers:
                    # By name and time, not by process id: in many libraries it is a child that takes the jobs.
                    if worker.name == one.name and one.time_ns >= worker.launched_ns and worker.state is State.STARTING:
                        worker.ready_pids.add(one.process)
                        if len(worker.ready_pids) >= max(1, one.value):
                            worker.state, worker.served = State.READY, True

    def tend(self) -> list[Worker]:
        """Notice exits, start the replacements that are due; returns the workers that exited since the last call.

        Raises: ProcessFailed when a worker did not become ready in time, or exited before it had ever been.
        """
        gone = []
        for worker in self.workers:
            if worker.process is not None and worker.process.exit_code is not None:
                self._exited(worker, worker.process.exit_code)
                gone.append(worker)
            if worker.restart_ns is not None and now_ns() >= worker.restart_ns:
                self._launch(worker)
            if worker.state is State.STARTING and now_ns() > worker.wanted_ns + round(self._spec.ready_within * NS_PER_S):
                tail = worker.process.log_tail() if worker.process is not None else ""
                raise ProcessFailed(worker.name, f"was not ready within {self._spec.ready_within:g} s", tail)
        return gone

    def _exited(self, worker: Worker, code: int) -> None:
        assert worker.process is not None
        # What no fault ended says why, so that the report can tell: its last lines.
        said = "" if worker.state is State.ENDING else worker.process.log_tail(lines=5)
        name, last_lines = self._recorder.text(worker.name), self._recorder.text(said)
        self._recorder.record(Kind.WORKER_EXITED, value=code, text=name, task=last_lines)
        if not worker.served:
            raise ProcessFailed(worker.name, f"exited with code {code} before it was ready", worker.process.log_tail())
        # A replacement that exits before it is ready is tried again, as a process manager would, but its time runs on.
        if worker.state is not State.STARTING:
            worker.wanted_ns = now_ns()
        worker.exits.append(code)
        worker.process, worker.state = None, State.GONE
        again = {"always": True, "on-failure": code != 0, "never": False}[self._spec.restart]
        if again and not self._stopping:
            worker.restart_ns = deadline_ns(self._spec.restart_delay)

    def redeploy(self, env: Mapping[str, str], folder: str | None) -> None:
        """From now on, start workers with these variables laid over the app's, and in this folder (relative to the app's)."""
        self._overlay = {**self._overlay, **env}
        if folder is not None:
            self._cwd = (self._surroundings.cwd / folder).resolve()

    def ending(self, worker: Worker) -> None:
        """The worker was told to stop, or killed: it takes no more jobs, though its exit is noticed only later."""
        worker.state = State.ENDING

    @property
    def whole(self) -> bool:
        """Whether every worker that will run is ready."""
        return all(
            worker.state is State.READY or (worker.state is State.GONE and worker.restart_ns is None) for worker in self.workers
        )

    def ready_workers(self) -> list[Worker]:
        """Those that take jobs, in the order of their names."""
        return [worker for worker in self.workers if worker.state is State.READY]

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
                worker.process, worker.state = None, State.GONE
