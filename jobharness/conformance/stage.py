"""Puts a subject on the stage: the real broker, the real workers and producers, once, and notes what is seen.

jobs sent to no worker (they stand) -> workers -> each outcome -> a thousand jobs -> stop -> a worker against a paused broker
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from jobharness.agent.recorder import Recorder
from jobharness.brokers.abilities import CanPause
from jobharness.brokers.broker import LivesInFolder
from jobharness.catalog import assemble
from jobharness.clock import deadline_ns, now_ns, seconds_between
from jobharness.conformance.evidence import Evidence, Snapshot
from jobharness.conformance.subject import Subject
from jobharness.errors import ProcessFailed
from jobharness.history import log
from jobharness.history.event import Kind
from jobharness.history.follow import Follower, News
from jobharness.processes.guardian import Guardian, marked
from jobharness.processes.process import Process, wait_for
from jobharness.processes.site import Site
from jobharness.queues.queue import ListsDead, reported_kinds
from jobharness.runner.fleet import Fleet
from jobharness.runner.folder import new_folder
from jobharness.runner.inspection import inspect_app
from jobharness.runner.setup import set_up
from jobharness.runner.surroundings import Surroundings
from jobharness.workload.plan import write_plan

__all__ = ["observe"]

PRODUCER_WITHIN_S = 60.0
DONE_WITHIN_S = 180.0  # A thousand jobs, each in a fork of its own, on a busy machine. It ends sooner where nothing is heard.
SILENCE_S = 8.0  # Beside the time that a retry may take.
STOP_GRACE_S = 20.0
PAUSED_FOR_S = 7.0  # Longer than the timeout of a socket: a library may take one that timed out for an empty queue.
STANDING = 12
EACH = 4
MANY = 1_000
SETTLES_WITHIN_S = 5.0
ENDS = frozenset((Kind.JOB_FINISHED, Kind.JOB_DEAD))
UNDECLARED_ENDS = frozenset((Kind.JOB_FAILED, Kind.JOB_TIMED_OUT))


def observe(subject: Subject, project: Path, reports: Path, many: int = MANY) -> Evidence:
    """Run a subject once and return what was seen. Blocks for well under a minute.

    Args: `project`: the folder that the app is imported from; `reports` gets a folder with logs and history; `many`: how many
    jobs the two workers get at once.
    Raises: InvalidRequest, EnvironmentFailed as a run does: then there is no evidence.
    """
    with ExitStack() as stack:
        stage = _Stage(subject, project, reports, stack)
        stage.stand()
        stage.open()
        stage.send(dict.fromkeys(stage.outcomes, EACH))
        stage.note("when each outcome had come")
        stage.send({"succeed": many})
        stage.note("when all was done")
        stage.close()
        stage.try_against_paused_broker()
    return stage.evidence()


class _Stage:
    """One observation. Not for two threads at once."""

    def __init__(self, subject: Subject, project: Path, reports: Path, stack: ExitStack) -> None:
        self._subject = subject
        self._parts = assemble(subject.scenario(), project)
        self._folder = new_folder(reports, subject.name)
        (self._folder.data / "attempts").mkdir()
        self._mark = self._folder.run_id
        self._recorder = Recorder(self._folder.records, "harness", "harness")
        stack.callback(self._gather)
        stack.enter_context(Guardian(self._mark))
        self._follower = Follower(self._folder.records)
        self._around = self._surroundings()
        with_broker = getattr(self._parts.queue, "inspected_with_broker", False)
        if not with_broker:
            self._app = inspect_app(self._parts, self._around, self._folder, self._mark)
        stack.callback(self._parts.broker.stop)
        self._parts.broker.start(self._site())
        set_up(self._parts, self._around, self._site())
        if with_broker:
            self._app = inspect_app(self._parts, self._around, self._folder, self._mark)
        self._subject = subject.less(self._app.missing)
        self._fleet = Fleet(self._parts.scenario.queue, self._around, self._folder, self._recorder, self._mark)
        stack.callback(self._fleet.stop, 0)
        self._sent: dict[str, int] = {}
        self._batches = 0
        self._ended: set[bytes] = set()
        self._heard: list[News] = []
        self._snapshots: list[Snapshot] = []
        self._early: tuple[str, ...] | None = None
        self._leftovers: tuple[str, ...] = ()
        self._killed: tuple[str, ...] = ()
        self._ready_after_s = 0.0
        self._heard_ns = 0
        self._reports = reported_kinds(type(self._parts.queue)) - {
            kind for name in self._app.missing if (kind := Kind.named(name)) is not None
        }
        # Where deaths are not reported, a failure is the end that can be seen.
        self._ends = ENDS if Kind.JOB_DEAD in self._reports else ENDS | UNDECLARED_ENDS

    def _surroundings(self) -> Surroundings:
        broker = self._parts.broker
        if isinstance(broker, LivesInFolder):
            broker.live_in(self._folder.data)
        return Surroundings(self._parts, self._folder, {"broker.url": broker.url, "run.folder": str(self._folder.data)})

    def _site(self) -> Site:
        return Site(self._folder.data, self._folder.logs, self._folder.records, self._mark, self._around.without_agent())

    @property
    def outcomes(self) -> tuple[str, ...]:
        """Those that the live app can have."""
        return tuple(self._subject.jobs)

    def stand(self) -> None:
        """Send jobs while no worker runs, and see them counted and listed."""
        if "standing" in self._subject.missing:
            return
        self._produce({outcome: STANDING // 2 for outcome in ("succeed", "delayed") if outcome in self._subject.jobs})
        self.note("before any worker ran")

    def open(self) -> None:
        """Start the workers, and let them do what stood."""
        began_ns = now_ns()
        self._bystanders = {process.pid for process in marked(self._mark)}
        self._fleet.start()
        self._until(lambda: self._fleet.whole, self._parts.scenario.queue.ready_within + 1)
        self._ready_after_s = seconds_between(began_ns, now_ns())
        self._await_ends()

    def send(self, batch: dict[str, int]) -> None:
        """Send a batch and wait until each of its jobs has come to its end."""
        self._produce(batch)
        self._await_ends()

    def _await_ends(self) -> None:
        total, began_ns = sum(self._sent.values()), now_ns()

        def over() -> bool:
            # An adapter that does not tell an end would keep us here: where nothing is heard any more, nothing more will come.
            silent = seconds_between(max(began_ns, self._heard_ns), now_ns()) > SILENCE_S + self._subject.retries_within_s
            return len(self._ended) >= total or silent

        self._until(over, DONE_WITHIN_S)

    def _produce(self, batch: dict[str, int]) -> None:
        self._batches += 1
        name = f"producer-{self._batches}"
        plan = self._folder.path / f"{name}.jsonl"
        jobs = ((number, self._subject.jobs[outcome]) for outcome, count in batch.items() for number in range(count))
        # The number tells an attempt's marks apart, so no two jobs of an observation share one.
        lines = (
            {"at_ns": 0, "task": job.task, "args": [self._batches * 10_000 + n], "kwargs": {}, "options": dict(job.options)}
            for n, (_, job) in enumerate(jobs)
        )
        write_plan(lines, plan, app=self._parts.scenario.queue.app, library=self._parts.queue.agent_library())
        plan.with_name(plan.name + ".go").write_text(str(now_ns()), encoding="ascii")
        command = [str(self._around.python), "-m", "jobharness_agent.producer", str(plan)]
        env = self._around.for_process("producer", name)
        process = Process(name, command, env=env, folder=self._around.cwd, log=self._folder.logs / f"{name}.log", mark=self._mark)
        try:
            self._until(lambda: process.exit_code is not None, PRODUCER_WITHIN_S)
        finally:
            code = process.exit_code
            process.stop(grace_s=0)
        if code != 0:
            raise ProcessFailed(name, f"ended with code {code} before its plan was sent", process.log_tail())
        for outcome, count in batch.items():
            self._sent[outcome] = self._sent.get(outcome, 0) + count

    def note(self, when: str) -> None:
        """Ask the adapter what the broker holds, at a moment at which the truth is known.

        An end is recorded before the broker is told of it, so the counts get a moment to settle, and more while they move.
        """
        queue, broker = self._parts.queue, self._parts.broker
        stand = not self._ended
        waiting, delayed = (self._sent.get("succeed", 0), self._sent.get("delayed", 0)) if stand else (0, 0)
        self._settle(waiting + delayed)
        self._snapshots.append(
            Snapshot(
                when,
                queue.counts(broker, self._app),
                tuple(queue.held(broker, self._app)),
                tuple(queue.dead(broker, self._app)) if isinstance(queue, ListsDead) else None,
                waiting,
                delayed,
                dead=sum(self._sent.get(outcome, 0) for outcome in ("fail", "give_up", "time_out")),
            )
        )

    def _settle(self, real: int) -> None:
        counted, moved_ns = None, now_ns()

        def settled() -> bool:
            nonlocal counted, moved_ns
            before, counted = counted, self._parts.queue.counts(self._parts.broker, self._app).unsettled
            if counted != before:
                moved_ns = now_ns()
            return counted in (None, real) or seconds_between(moved_ns, now_ns()) > SETTLES_WITHIN_S

        wait_for(settled, DONE_WITHIN_S)

    def close(self) -> None:
        """Stop the workers as a deploy does, and look for what is left of them."""
        workers = [(worker.name, worker.process) for worker in self._fleet.workers if worker.process is not None]
        self._fleet.stop(STOP_GRACE_S)
        self._killed = tuple(name for name, process in workers if process.exit_code == -9)
        if self._killed:  # SIGKILL was sent to what they had started, too; it takes a moment.
            wait_for(lambda: all(process.pid in self._bystanders for process in marked(self._mark)), SETTLES_WITHIN_S)
        self._leftovers = tuple(
            " ".join(process.cmdline())[:200] for process in marked(self._mark) if process.pid not in self._bystanders
        )

    def try_against_paused_broker(self) -> None:
        """Start a worker while the broker answers nobody, for longer than a worker needs to become ready otherwise."""
        broker = self._parts.broker
        if not isinstance(broker, CanPause) or self._parts.scenario.broker.url is not None:
            return
        name = "early-bird"
        broker.pause()
        try:
            process = Process(
                name,
                self._around.worker_command(name),
                env=self._around.for_process("worker", name),
                folder=self._around.cwd,
                log=self._folder.logs / f"{name}.log",
                mark=self._mark,
            )
            patience_s = max(PAUSED_FOR_S, 1.0 + 2 * self._ready_after_s)
            self._until(lambda: bool(self._ready(name)) or process.exit_code is not None, patience_s)
            self._early = self._ready(name)
            process.stop(grace_s=0)
        finally:
            broker.resume()

    def _ready(self, name: str) -> tuple[str, ...]:
        return tuple(news.name for news in self._heard if news.kind is Kind.WORKER_READY and news.name == name)

    def _until(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Listen until the condition holds; False when `timeout_s` passed first.

        Raises: ProcessFailed when a worker cannot be had.
        """
        limit_ns = deadline_ns(timeout_s)

        def turn() -> bool:
            self._listen(self._follower.poll())
            return condition() or now_ns() > limit_ns

        wait_for(turn, timeout_s)
        return condition()

    def _listen(self, news: Sequence[News]) -> None:
        self._fleet.see(news)
        self._fleet.tend()
        if news:
            self._heard_ns = news[-1].time_ns
        self._ended.update(one.key for one in news if one.kind in self._ends)
        self._heard += [one for one in news if one.kind is Kind.WORKER_READY]

    def _gather(self) -> None:
        self._recorder.close()
        self._history = log.gather(self._folder.records, {"run": self._folder.run_id, "seed": 1})
        log.save(self._history, self._folder.path / "history.parquet")

    def evidence(self) -> Evidence:
        """What was seen."""
        return Evidence(
            subject=self._subject,
            app=self._app,
            tested=f"{self._parts.queue.library} {self._app.version}, {self._parts.broker.provider}",
            history=self._history,
            reports=self._reports,
            sent=self._sent,
            snapshots=tuple(self._snapshots),
            early=self._early,
            leftovers=self._leftovers,
            killed=self._killed,
        )
