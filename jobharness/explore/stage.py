"""One job on a stage of its own: a fresh broker, the proxy before it, one worker, a producer with the job in its hands.

The stage is set anew for every trial, in a folder of its own, so that nothing is left of the trial before. What happens on it is
for `learning` and `trial` to say.
"""

from __future__ import annotations

import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event, Semaphore
from typing import Any

import psutil

from jobharness.agent.recorder import Recorder
from jobharness.brokers.broker import LivesInFolder, MessageQueues
from jobharness.clock import NS_PER_S, deadline_ns, now_ns
from jobharness.errors import BrokerFailed, EnvironmentFailed, ProcessFailed
from jobharness.explore.lines import Lines
from jobharness.explore.nowhere import named
from jobharness.explore.outcome import PASSED
from jobharness.explore.rooms import Rooms
from jobharness.explore.seen import Seen
from jobharness.history import log
from jobharness.history.event import Kind
from jobharness.history.follow import Follower, News
from jobharness.history.frame import History
from jobharness.processes.process import Process, is_alive, runs_code, wait_for
from jobharness.processes.site import Site
from jobharness.queues.queue import App, ListsDead
from jobharness.runner.board import Board
from jobharness.runner.clocks import Clocks
from jobharness.runner.fleet import Fleet, State
from jobharness.runner.folder import RunFolder
from jobharness.runner.invariants import Invariants
from jobharness.runner.keeping import kept
from jobharness.runner.parts import Parts
from jobharness.runner.peers import peer_places
from jobharness.runner.setup import set_up
from jobharness.runner.surroundings import Surroundings
from jobharness.upstream.server import Upstream
from jobharness.wire.control import Wire
from jobharness.wire.statements import Statements
from jobharness.workload.plan import write_plan

__all__ = ["WORKER", "Setting", "Stage", "Start", "stage_in"]

SET_PER_CORE = 2
TICK_S = 0.05
LOOK_ON_S = 0.1  # Where nothing is waited for but time.
COUNT_EVERY_S = 0.2
READY_WITHIN_S = 60.0
DEAD_WITHIN_S = 10.0
SILENT_WITHIN_S = 2.0
WORKER = "worker-1"

Start = Callable[..., Process]
"""What starts a process of the app: `Process` itself, or a zygote's fork of one."""


@dataclass(frozen=True)
class Setting:
    """What the stages of one map have in common.

    `parts`: makes the parts of the scenario with a broker of its own, at each call; `app`: as it said of itself; `mark`: of the
    map's run; `jobs`: the job and its nudges, in the producer's form; `rooms`: in the servers that all stages share; `entrance`:
    lets as many stages be set at a time as the processors can serve: that is work, and what comes after it is mostly waiting;
    `off`: once it is set, nobody wants what happens on them, and all that is waited for there is given up.
    """

    parts: Callable[[], Parts]
    app: App
    mark: str
    jobs: Sequence[Mapping[str, Any]]
    start: Start = Process
    start_wire: Start = Process
    rooms: Rooms = field(default_factory=Rooms)
    off: Event = field(default_factory=Event)
    entrance: Semaphore = field(default_factory=lambda: Semaphore(SET_PER_CORE * (os.cpu_count() or 1)))


class Stage:
    """One stage. Use it as a context; leaving it ends every process on it. `history` is there afterwards. Not for two threads."""

    def __init__(self, setting: Setting, folder: RunFolder) -> None:
        self.setting, self.folder = setting, folder
        self.parts = setting.parts()
        # A stage that was struck before anyone wanted it leaves its room, and another may be set at its place.
        room = f"{folder.path.name}-{secrets.token_hex(4)}"
        if setting.rooms.broker is not None:
            self.parts = replace(self.parts, broker=setting.rooms.broker(room))
        self.recorder = Recorder(folder.records, "harness", "harness")
        self.board, self.seen = Board(), Seen()
        self._follower = Follower(folder.records, unwanted=[Kind.BROKER_MESSAGE])
        self._stack = ExitStack()
        self._plan = folder.plan
        self._orphans: list[psutil.Process] = []
        self.onlookers: list[Callable[[list[News]], None]] = []  # Are told of all that is seen.
        self._passed: list[float] = []
        self._nudged = 0
        self.clocks: Clocks | None = None  # The workers' clocks, where a fault of the scenario moves them.
        self.peers = {name: of_peer(room) for name, of_peer in setting.rooms.peers.items()}
        self.lines: Mapping[str, Wire | Statements] = {}  # By peer, "" is the broker.
        self.wires: Mapping[str, Wire] = {}  # Those of them that are proxies.
        self._invariants: Invariants | None = None
        self.history: History | None = None

    def __enter__(self) -> Stage:
        with ExitStack() as stack:
            stack.callback(self._gather)
            try:
                with self.setting.entrance:
                    self._set(stack)
            except EnvironmentFailed as error:
                self.cut_short(str(error))
                raise
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _set(self, stack: ExitStack) -> None:
        parts, folder, mark = self.parts, self.folder, self.setting.mark
        scenario, broker = parts.scenario, parts.broker
        if isinstance(broker, LivesInFolder):
            broker.live_in(folder.data)
        places = {"broker.url": broker.url, "run.folder": str(folder.data), "service.url": "", "service.port": "0"}
        places |= {**peer_places(parts), **{f"peer.{name}": server.url for name, server in self.peers.items()}}
        upstream = None
        if scenario.upstream is not None:
            from jobharness.runner.run import manners_of

            upstream = Upstream(manners_of(scenario.upstream), scenario.upstream.hosts)
            places["upstream.url"] = upstream.url
        around = Surroundings(parts, folder, places)
        site = Site(folder.data, folder.logs, folder.records, mark, around.without_agent())
        self._invariants = Invariants(parts, around, folder, mark)
        if self.setting.rooms.broker is None:
            stack.callback(broker.stop)
            broker.start(site)
        if not self.setting.rooms.are_set_up:
            set_up(parts, around, site, self.setting.start)
        lines = Lines(parts, self.peers, around, site, self.setting.start_wire, stack)
        lines.lay()
        if parts.clock is not None:
            self.clocks = Clocks(parts.clock, folder.data / "clocks")
            around.move_clocks_by(self.clocks)
        if upstream is not None:
            stack.callback(upstream.stop)
            upstream.start(site)
            lines.lay_upstream(upstream)
        self.lines, self.wires = lines.to, lines.wires
        self.fleet = Fleet(scenario.queue, around, folder, self.recorder, mark, self.setting.start)
        stack.callback(self._stop_workers)
        self.fleet.start()
        self._producer = self._start_producer(around, stack)
        if not self.until(lambda: self.fleet.whole and self.board.producer_ready, READY_WITHIN_S):
            raise ProcessFailed("producer", f"was not ready within {READY_WITHIN_S:g} s", self._producer.log_tail())

    def _start_producer(self, around: Surroundings, stack: ExitStack) -> Process:
        """Each further job is due when all before it are done, which `nudge` says whether they are or not."""
        job, *rest = self.setting.jobs
        lines = [{**job, "at_ns": 0}, *({**other, "at_ns": 0, "in_flight": 1} for other in rest)]
        write_plan(lines, self._plan, app=self.parts.scenario.queue.app, library=self.parts.queue.agent_library())
        producer = self.setting.start(
            "producer",
            [str(around.python), "-m", "jobharness_agent.producer", str(self._plan)],
            env={**around.for_process("producer", "producer"), **(self.clocks.env_for("producer") if self.clocks else {})},
            folder=around.cwd,
            log=self.folder.logs / "producer.log",
            mark=self.setting.mark,
        )
        stack.callback(producer.stop, 0)
        return producer

    # What is done on it.

    def phase(self, name: str) -> None:
        """Note a moment in the history."""
        self.recorder.record(Kind.RUN_PHASE, text=self.recorder.text(name))

    def pass_time(self, period_s: float, waited_s: float) -> None:
        """Put the clocks of workers and producer forward by a period of which so much was waited for already; what that saved is
        noted. Nothing happens where they cannot be moved."""
        if self.clocks is None:
            return
        self._passed.append(period_s)
        for name in self.clocks.workers:
            self.clocks.move(name, sum(self._passed), f"{PASSED}#{len(self._passed)}")
        saved_ns = round(max(0.0, period_s - waited_s) * NS_PER_S)
        self.recorder.record(Kind.RUN_PHASE, value=saved_ns, text=self.recorder.text(PASSED))

    def cut_short(self, why: str) -> None:
        """Note that this trial can tell nothing."""
        self.recorder.record(Kind.RUN_CUT_SHORT, text=self.recorder.text(why[:400]))

    def transcribe(self, on: bool) -> None:
        """Record every message, or no longer."""
        for line in self.lines.values():
            line.transcribe(on)

    def send(self) -> None:
        """Let the producer send the job."""
        if "" in self.wires:
            self.wires[""].await_job()
        go = self._plan.with_name(self._plan.name + ".go")
        whole = go.with_suffix(".new")
        whole.write_text(str(now_ns()), encoding="ascii")
        whole.rename(go)

    def nudge(self) -> None:
        """Let the producer send another job, which a library may need to look around. Of those that the setting has."""
        jobs = len(self.setting.jobs[0].get("links", "1")) + self._nudged
        self._nudged += 1
        self._plan.with_name(self._plan.name + ".done").write_bytes(jobs.to_bytes(8, "little"))

    def until(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Look on until the condition holds; False when `timeout_s` passed first. Raises: ProcessFailed for a worker that cannot
        be had, a proxy or a producer that died; EnvironmentFailed when all is off."""
        return self._until(condition, timeout_s, TICK_S)

    def _until(self, condition: Callable[[], bool], timeout_s: float, tick_s: float) -> bool:
        limit_ns = deadline_ns(timeout_s)
        while not condition():
            if now_ns() > limit_ns:
                return False
            self.turn()
            time.sleep(tick_s)
        return True

    def look_on(self, for_s: float) -> None:
        """Look on for so long. Raises: as `until`."""
        over_ns = deadline_ns(for_s)
        self._until(lambda: now_ns() > over_ns, for_s + 5, LOOK_ON_S)

    def turn(self) -> None:
        """Look once."""
        if self.setting.off.is_set():
            raise EnvironmentFailed("it was called off")
        for wire in self.wires.values():
            wire.check()
        self._read()
        for worker in self.fleet.tend():
            self.board.forget(worker.name)
        code = self._producer.exit_code
        if code is not None and not self.board.producer_done:
            self._read()  # Whether it has said that it is done.
            if not self.board.producer_done:
                raise ProcessFailed("producer", f"ended with code {code} before its plan was sent", self._producer.log_tail())

    def _read(self) -> None:
        """Take in what was recorded since the last time: all who steer by it, or a nudge that came just then is waited for."""
        news = self._follower.poll()
        self.board.see(news)
        self.seen.see(news)
        self.fleet.see(news)
        for onlooker in self.onlookers:
            onlooker(news)

    # What is to be seen on it.

    @property
    def sent(self) -> bool:
        """Whether the job was acknowledged."""
        return self.board.acknowledged > 0

    def ended(self, number: int = 0) -> bool:
        """Whether the job (or the nudge, 1) was completed or given up at least once; of a chain, group or chord, all its jobs."""
        meant = self.seen.keys[number : number + 1] if number else self.seen.whole
        return bool(meant) and self.seen.ended.issuperset(meant)

    @property
    def busy(self) -> bool:
        """Whether a job is being executed now, this one or another, but for those of the app's own schedule."""
        self.board.forget_gone(runs_code)
        return not self.seen.ticks.keys() >= set(self.board.executed)

    def unsettled(self) -> int:
        """How many jobs the broker still counts, but for those of the app's own schedule that it lists. Raises: BrokerFailed."""
        counted = self.parts.queue.counts(self.parts.broker, self.setting.app).unsettled or 0
        if not (counted and self.seen.ticks):
            return counted
        return max(0, counted - sum(self.recorder.job(held.job_id)[0] in self.seen.ticks for held in self._held()))

    def holds_job(self) -> str:
        """Where the broker holds the job, in words; "" where it holds it nowhere. Raises: BrokerFailed."""
        places = {self.recorder.job(held.job_id)[0]: held.where for held in self._held()}
        return next((places[key] for key in self.seen.whole if key in places), "")

    def _held(self) -> Iterator[Any]:
        yield from self.parts.queue.held(self.parts.broker, self.setting.app)

    def note_places(self) -> None:
        """Record where the broker holds each job, at the end."""
        for held in self._held():
            key, _ = self.recorder.job(held.job_id)
            self.recorder.record(Kind.JOB_HELD, key, text=self.recorder.text(held.where))
        if isinstance(self.parts.queue, ListsDead):
            for held in self.parts.queue.dead(self.parts.broker, self.setting.app):
                key, _ = self.recorder.job(held.job_id)
                self.recorder.record(Kind.JOB_BURIED, key, text=self.recorder.text(held.where))

    def note_invariants(self) -> None:
        """Record what the app's own data say, at the end."""
        record, number = self.recorder.record, self.recorder.text
        for notice in self._invariants.look() if self._invariants is not None else ():
            record(notice.kind, value=notice.value, task=number(notice.task), text=number(notice.text))

    def note_unlisted(self) -> None:
        """An AMQP broker lists a delivered message only when its worker's connection has ended: it is asked after that."""
        running = self.parts.queue.counts(self.parts.broker, self.setting.app).running
        self._stop_workers()
        if not running or not isinstance(self.parts.broker, MessageQueues):
            return
        key = self.seen.keys[0] if self.seen.keys else None
        with suppress(BrokerFailed):
            wait_for(lambda: bool(self.holds_job()), 2.0)
            if key is not None and self.holds_job():
                where = self.recorder.text("delivered to the worker, not acknowledged")
                self.recorder.record(Kind.JOB_HELD, key, text=where)

    def prove_loss(self) -> bool:
        """Whether nobody can bring the job back, as `nowhere` has it. Only while the worker is dead: none replaces it meanwhile.

        The nudge is sent for this, unless it is plain without it that nothing is proven.
        """
        self._read()
        wire = self.wires.get("")
        # Of a chain, group or chord, and of what a job sent, more than one place may tell.
        one = self.board.begun == self.board.acknowledged == 1 and not self.seen.links
        alone = one and len(self.fleet.workers) == 1 and not self.peers
        if wire is None or not alone or not wait_for(lambda: not wire.peers(WORKER), SILENT_WITHIN_S):
            return False
        if self.stored() != [False]:
            return False
        self.phase("nudge")
        self.nudge()

        def stands() -> bool:
            self._read()
            return self.board.acknowledged > 1

        return wait_for(stands, SILENT_WITHIN_S) and self.stored() == [False, True]

    def stored(self) -> list[bool] | None:
        """Of the job, and of the nudge once it was sent, whether the broker has it in whatever place; None: nobody can tell."""
        return named(self.parts.broker, self.seen.names)

    def owners(self, peer: str) -> dict[int, str]:
        """Whose each connection of the worker to a peer is, "main" or "child", by number; nothing where there is no proxy."""
        return self._owners(self.wires[peer].peers(WORKER)) if peer in self.wires else {}

    def _owners(self, ports: Mapping[int, int]) -> dict[int, str]:
        worker = self.fleet.workers[0]
        if worker.process is None:
            return {}
        found: dict[int, str] = {}
        by_port = {port: number for number, port in ports.items()}
        for who, processes in (("child", worker.process.children()), ("main", [psutil.Process(worker.process.pid)])):
            for process in processes:
                for port in _ports(process):
                    if port in by_port:
                        found[by_port[port]] = who
        return found

    def kill(self, victim: str) -> tuple[int, ...]:
        """SIGKILL the worker's whole tree, its main process alone ("main"), or the process of its pool with the job ("child").

        Returns the process ids. Blocks until they are dead and reaped. Raises: ProcessFailed where there is none, or one will not
        die.
        """
        worker = self.fleet.workers[0]
        process = worker.process
        gone = ProcessFailed(WORKER, "was gone before it could be killed")
        if process is None:
            raise gone
        try:
            main = psutil.Process(process.pid)
        except psutil.NoSuchProcess:
            raise gone from None  # It ended by itself, and that is heard of later.
        if victim == "child":
            victims = self._pool_victim(process)
        else:
            # Stopped first, so that it forks no more while its children are found.
            process.signal(signal.SIGSTOP)
            family = process.children()
            victims = [main, *family] if victim == "tree" else [main]
            self._orphans += family
            self.fleet.ending(worker)
        for one in victims:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        if not wait_for(
            lambda: not any(map(is_alive, victims)) and (victim == "child" or process.exit_code is not None), DEAD_WITHIN_S
        ):
            raise ProcessFailed(WORKER, f"was not dead {DEAD_WITHIN_S:g} s after SIGKILL")
        return tuple(one.pid for one in victims)

    def _pool_victim(self, process: Process) -> list[psutil.Process]:
        pool = sorted(process.children(), key=lambda child: child.pid)
        chosen = [child for child in pool if child.pid == self.seen.runner] or pool[:1]
        if not chosen:
            raise ProcessFailed(WORKER, "has no child to be killed")
        return chosen

    @property
    def lives(self) -> bool:
        """Whether the worker's process is there and ready."""
        return self.fleet.workers[0].state is State.READY

    # Its end.

    def _stop_workers(self) -> None:
        self.fleet.stop(0)
        for orphan in self._orphans:
            with suppress(psutil.Error):
                orphan.kill()

    def _gather(self) -> None:
        self.recorder.close()
        gathered = log.gather(self.folder.records, {"run": self.setting.mark, "seed": self.parts.scenario.seed})
        self.history = kept(self.folder, gathered)
        for further in ("", ".go", ".done", ".begun"):
            self._plan.with_name(self._plan.name + further).unlink(missing_ok=True)


def _ports(process: psutil.Process) -> list[int]:
    try:
        return [one.laddr.port for one in process.net_connections("tcp4") if one.laddr]
    except psutil.Error:
        return []


@contextmanager
def stage_in(setting: Setting, path: Path) -> Iterator[Stage]:
    """A stage in a new folder at `path`."""
    folder = RunFolder(path.resolve())
    for place in (folder.records, folder.logs, folder.data, folder.mishaps):
        place.mkdir(parents=True)
    with Stage(setting, folder) as stage:
        yield stage
