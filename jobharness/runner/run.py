"""One execution of a scenario, from provisioning to verdict.

One thread and one loop: read the events that arrived, tend the workers, let the faults strike, show progress. What
ends the run, in whatever
way, ends every process that it started (see `processes.guardian`), and what was recorded until then is kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from random import Random

from jobharness.agent.recorder import Recorder
from jobharness.brokers.broker import LivesInFolder, MessageQueues
from jobharness.clock import NS_PER_S, deadline_ns, now_ns, seconds_between
from jobharness.contracts.contract import Verdict, judge
from jobharness.errors import Aborted, BrokerFailed, EnvironmentFailed, InvalidRequest, JobharnessError, ProcessFailed
from jobharness.faults.fault import CanArm
from jobharness.history.event import Kind
from jobharness.history.frame import History
from jobharness.metrics.gate import Crossing, judge_gate
from jobharness.metrics.measure import measure
from jobharness.metrics.metric import Metric
from jobharness.processes.disk import LimitedDisk
from jobharness.processes.guardian import Guardian
from jobharness.processes.process import runs_code, wait_for
from jobharness.processes.site import Site
from jobharness.queues.queue import App, ListsDead
from jobharness.runner.abort import Abort
from jobharness.runner.attendants import Attendants, attendants_of
from jobharness.runner.board import Board
from jobharness.runner.clocks import Clocks
from jobharness.runner.conductor import Conductor
from jobharness.runner.failures import logged
from jobharness.runner.fleet import Fleet
from jobharness.runner.folder import RunFolder
from jobharness.runner.inspection import inspect_app
from jobharness.runner.interrupts import interrupts_held
from jobharness.runner.invariants import Invariants
from jobharness.runner.keeping import kept
from jobharness.runner.outsiders import Outsiders
from jobharness.runner.parts import Parts
from jobharness.runner.peers import peer_places, start_peers
from jobharness.runner.producers import OneProducer, Producers
from jobharness.runner.progress import Progress, Status
from jobharness.runner.sampler import Sampler
from jobharness.runner.scene import RunScene
from jobharness.runner.service import Service
from jobharness.runner.setup import set_up
from jobharness.runner.steps import Steps
from jobharness.runner.surroundings import Surroundings
from jobharness.runner.watch import AsksFirst, Notice
from jobharness.scenario.model import UpstreamSpec
from jobharness.upstream.behaviour import Manners, QuotaRule
from jobharness.upstream.server import Upstream
from jobharness.wire.control import Wire
from jobharness.workload.plan import planned_jobs, write_plan

__all__ = ["Run", "manners_of"]

TICK_S = 0.002
SHOW_EVERY_S = 0.25
COUNT_EVERY_S = 0.25
STOP_GRACE_S = 10.0
DATA_WITHIN_S = 2.0


class Run:
    """Executes one scenario once. Args: `parts` chosen and checked, `folder` empty, `progress` to be shown where it
    is, `abort` the switch that ends it early, `producers` send the jobs."""

    def __init__(
        self,
        parts: Parts,
        folder: RunFolder,
        progress: Progress,
        abort: Abort | None = None,
        producers: Producers | None = None,
    ) -> None:
        self.parts, self.folder, self._progress = parts, folder, progress
        self._abort = abort if abort is not None else Abort()
        self.producers = producers if producers is not None else OneProducer()
        self._mark = folder.run_id
        self._recorder = Recorder(folder.records, "harness", "harness")
        self._nodes = self.producers.nodes(folder)
        self._board = Board()
        self._sampler = Sampler(self._recorder, parts.scenario.queue.memory_limit)
        self._started_ns = now_ns()
        self._phase = ""
        self._shown_ns = 0
        self._fleet: Fleet | None = None
        self._conductor: Conductor | None = None
        self._wire: Wire | None = None
        self._attendants: Attendants | None = None
        self._invariants: Invariants | None = None
        self.app: App | None = None
        self.provider = ""
        self._unlisted = False  # Whether the broker holds jobs which it cannot list before the workers have gone.
        self.cut_short = ""
        self.saved = False
        """Whether there is a History: not if it was interrupted before anything was started."""

    def execute(self) -> History:
        """Run it. Returns the History, which is also saved in the folder.

        Raises: InvalidRequest before anything of the app is started; EnvironmentFailed when a server, worker or
        producer cannot be
        started. A failure later ends the run, and the History says that it was cut short. KeyboardInterrupt passes
        through, after the History was saved. An aborted run returns like one that was cut short, at whatever moment.
        """
        with ExitStack() as stack:
            stack.callback(self._save)
            guardian = stack.enter_context(Guardian(self._mark, self.folder.data))
            try:
                self._abort.at_once = True
                self._provision(stack)
                self._abort.at_once = False
                self._drive(guardian)
                self._drain()
                self._await_watches()
            except (JobharnessError, KeyboardInterrupt) as error:
                self._abort.at_once = False
                if isinstance(error, Aborted):
                    self._heal_at_once(error)
                reason = "interrupted" if isinstance(error, KeyboardInterrupt) else str(error).splitlines()[0]
                self._recorder.record(Kind.RUN_CUT_SHORT, text=self._recorder.text(reason))
                self.cut_short = str(error) or reason
                unseen = not self._board.acknowledged and not isinstance(error, Aborted)
                if isinstance(error, KeyboardInterrupt) or unseen:
                    raise
            finally:
                self._abort.at_once = False
                self._wind_up()
        return self.history

    def _heal_at_once(self, error: Aborted) -> None:
        """Record who aborted the run, end the load, and heal what is broken, before anything that takes its time."""
        asked_ns = self._abort.asked_ns or now_ns()
        self._recorder.record(Kind.RUN_ABORTED, value=asked_ns, text=self._recorder.text(error.by))
        self._begin("heal")
        if self._attendants is not None:
            self._attendants.kill()
        if self._conductor is not None:
            self._conductor.heal_at_once()

    def _provision(self, stack: ExitStack) -> None:
        """Everything up to the first job: the app is asked first, then servers, service, workers and producer are
        started."""
        scenario = self.parts.scenario
        self._abort.watch([self.folder.abort, *(self.parts.project / name for name in [scenario.abort.file] if name)])
        upstream = Upstream(manners_of(scenario.upstream), scenario.upstream.hosts) if scenario.upstream is not None else None
        service = Service(scenario.service) if scenario.service is not None else None
        for watch in self.parts.watches:
            stack.callback(watch.stop)
            if isinstance(watch, AsksFirst):
                watch.ask_first()
        places = self._places(upstream, service)
        around = Surroundings(self.parts, self.folder, places)
        site = Site(self.folder.data, self.folder.logs, self.folder.records, self._mark, around.without_agent())
        self._invariants = Invariants(self.parts, around, self.folder, self._mark)

        self._begin("prepare")
        with_broker = getattr(self.parts.queue, "inspected_with_broker", False)
        if not with_broker:
            self.app = inspect_app(self.parts, around, self.folder, self._mark)
        jobs = planned_jobs(scenario.workload, scenario.seed, service.url if service is not None else "", self.parts.project)
        write_plan(jobs, self.folder.plan, app=scenario.queue.app, library=self.parts.queue.agent_library())

        self._begin("provision")
        disk = self._mount_disk(stack)
        stack.callback(self.parts.broker.stop)
        self.parts.broker.start(replace(site, data=disk.folder) if disk is not None else site)
        self.provider = self.parts.broker.provider
        # A server that answers may be about to store its first byte.
        if disk is not None and not wait_for(lambda: disk.used_bytes > 0, DATA_WITHIN_S):
            raise InvalidRequest(f"the fault 'disk' finds no data of the broker on its disk: {self.provider} keeps it elsewhere")
        start_peers(self.parts, site, stack)
        set_up(self.parts, around, site)
        if with_broker:
            self.app = inspect_app(self.parts, around, self.folder, self._mark)
        wire, armable = self._start_wire(stack, around, site)
        clocks = Clocks(self.parts.clock, self.folder.data / "clocks") if self.parts.clock is not None else None
        if clocks is not None:
            around.move_clocks_by(clocks)
        if upstream is not None:
            stack.callback(upstream.stop)
            upstream.start(site)
            around.reach_upstream_by(lambda name: upstream.ways)
        if service is not None:
            stack.callback(service.stop)
            service.start(around, site)
        for watch in self.parts.watches:
            watch.start(site, places)
        fleet = self._fleet = Fleet(scenario.queue, around, self.folder, self._recorder, self._mark)
        attendants = self._attendants = attendants_of(
            self.parts, self.folder, around, self._recorder, self.producers, self._nodes, lambda: self._phase == "warm up"
        )
        scenes = self._scenes(fleet, attendants, upstream, wire, armable, clocks, disk)
        steps = Steps(self.parts.faults, scenes, armable)
        self._conductor = Conductor(self.parts.faults, scenes, lambda: self._whole, self._board, self._recorder, steps)
        fleet.start()
        attendants.start()

        self._begin("warm up")
        if not self._until(lambda: self._whole, self._nodes.join_within_s):
            late = attendants.late or attendants.producers[0]
            tail = late.process.log_tail() if late.process is not None else ""
            raise ProcessFailed(late.name, f"was not ready within {self._nodes.join_within_s:g} s", tail)

    @property
    def _whole(self) -> bool:
        """Whether every process of the app that should be at work is."""
        fleet, attendants = self._fleet, self._attendants
        return fleet is not None and fleet.whole and attendants is not None and attendants.whole

    def _mount_disk(self, stack: ExitStack) -> LimitedDisk | None:
        """A file system of its own for the broker's data, where a fault needs it."""
        if not self.parts.disk_bytes:
            return None
        disk = LimitedDisk(self._broker_data, self.parts.disk_bytes, self._mark)
        stack.callback(disk.unmount)
        return disk

    @property
    def _broker_data(self) -> Path:
        return self.folder.data / "disk" if self.parts.disk_bytes else self.folder.data

    def _start_wire(self, stack: ExitStack, around: Surroundings, site: Site) -> tuple[Wire | None, CanArm | None]:
        """Put the proxy between every process of the app and the broker, where a fault needs it; for SQLite, let the agent
        watch its statements. Returns the proxy, and where steps are armed."""
        plan = self.parts.wire
        if plan is None:
            return None, None
        if plan.by_agent:
            statements = plan.statements(self.parts.broker.url, self.folder.data / "steps")
            around.watch_statements(statements)
            return None, statements
        self._wire = wire = plan.make(self.parts.broker.url)
        stack.callback(wire.stop)
        wire.start(site)
        around.reach_by("broker.url", wire.url_for)
        return wire, wire

    def _scenes(
        self,
        fleet: Fleet,
        attendants: Attendants,
        upstream: Upstream | None,
        wire: Wire | None,
        armable: CanArm | None,
        clocks: Clocks | None,
        disk: LimitedDisk | None,
    ) -> dict[str, RunScene]:
        """What each fault may see and do, with its own stream of the seed."""
        seed, mishaps = self.parts.scenario.seed, self.folder.mishaps
        labels = [armed.label for armed in self.parts.faults]
        broker = self.parts.broker
        return {
            label: RunScene(
                label,
                fleet,
                broker,
                attendants,
                upstream,
                wire,
                armable,
                mishaps,
                Random(f"{seed}:{label}"),
                clocks,
                disk,
                Outsiders(self.parts.scenario),
            )
            for label in labels
        }

    def _places(self, upstream: Upstream | None, service: Service | None) -> dict[str, str]:
        """What the placeholders of a scenario stand for in this run."""
        if isinstance(self.parts.broker, LivesInFolder):
            self.parts.broker.live_in(self._broker_data)
        places = {"broker.url": self.parts.broker.url, "run.folder": str(self.folder.data), **peer_places(self.parts)}
        if upstream is not None:
            places["upstream.url"] = upstream.url
        if service is not None:
            places |= {"service.url": service.url, "service.port": str(service.port)}
        for watch in self.parts.watches:
            places |= watch.places()
        return places

    def _drive(self, guardian: Guardian) -> None:
        """The workload arrives and the faults strike, until the whole plan was sent and everything is healed."""
        assert self._conductor is not None and self._attendants is not None
        conductor, attendants = self._conductor, self._attendants
        self._begin("workload")
        start_ns = deadline_ns(self._nodes.head_start_s)
        go = self.folder.plan.with_name(self.folder.plan.name + ".go")
        whole = go.with_suffix(".new")
        whole.write_text(str(start_ns), encoding="ascii")
        whole.rename(go)
        conductor.start(start_ns)
        # Jobs may be few: a fault that strikes between the last arrival and the end of the workload is part of it.
        end_ns = start_ns + round(self.parts.scenario.workload.duration * NS_PER_S)
        self._until(lambda: attendants.done and now_ns() >= end_ns)
        guardian.check()
        attendants.stop_schedules()
        self._begin("heal")
        conductor.heal()
        self._until(lambda: conductor.healed and self._whole)

    def _drain(self) -> None:
        """Wait until every acknowledged job is settled and the broker is empty, or nothing has moved for the
        recovery bound."""
        self._begin("drain")
        scenario = self.parts.scenario
        bound_s = scenario.contract.recovery or scenario.drain.quiet
        began_ns, limit_ns = now_ns(), deadline_ns(scenario.drain.at_most)
        while not self._drained():
            self._board.forget_gone(runs_code)
            quiet_since_ns = max(began_ns, self._board.last_progress_ns)
            if now_ns() > limit_ns:
                raise ProcessFailed("the queue", f"still moved after a drain of {scenario.drain.at_most:g} s", "")
            if not self._board.running and seconds_between(quiet_since_ns, now_ns()) > bound_s:
                break
            pause_ns = deadline_ns(COUNT_EVERY_S)
            self._until(lambda: now_ns() > pause_ns)  # noqa: B023  # called before the next turn
        self._note_held()
        self._note_failed()

    def _await_watches(self) -> None:
        """Go on for what monitoring may yet say, then let it say its last word before the workers stop."""
        watches = self.parts.watches
        if any(watch.waiting for watch in watches):
            self._begin("watch")
            self._until(lambda: not any(watch.waiting for watch in watches))
        for watch in watches:
            self._note(watch.finish())
        if self._invariants is not None:
            self._note(self._invariants.look())

    def _note(self, notices: Iterable[Notice]) -> None:
        """Record what a watch noticed."""
        recorder = self._recorder
        for kind, value, text, group, task, job in notices:
            key = recorder.job(job)[0] if job else b""
            recorder.record(kind, key, value, task=recorder.text(task), text=recorder.text(text), group=recorder.text(group))

    def _drained(self) -> bool:
        if self._board.unsettled or self._board.running:
            return False
        assert self.app is not None
        return not self.parts.queue.counts(self.parts.broker, self.app).unsettled

    def _note_held(self) -> None:
        """Record every job that the broker still holds, and where. Before the workers stop: stopping moves jobs."""
        assert self.app is not None
        running = self.parts.queue.counts(self.parts.broker, self.app).running
        self._unlisted = bool(running) and isinstance(self.parts.broker, MessageQueues) and not self._unlisted
        for held in self.parts.queue.held(self.parts.broker, self.app):
            key, _ = self._recorder.job(held.job_id)
            self._recorder.record(Kind.JOB_HELD, key, text=self._recorder.text(held.where))

    def _note_failed(self) -> None:
        """Record, once, every job that the broker keeps as failed, and every dead job that a worker's log tells of."""
        assert self.app is not None
        if isinstance(self.parts.queue, ListsDead):
            for held in self.parts.queue.dead(self.parts.broker, self.app):
                key, _ = self._recorder.job(held.job_id)
                self._recorder.record(Kind.JOB_BURIED, key, text=self._recorder.text(held.where))
        for log_file in sorted(self.folder.logs.glob("worker-*.log")):
            self._recorder.record(Kind.LOG_WRITTEN, value=log_file.stat().st_size, text=self._recorder.text(log_file.stem))
        for key, where in logged(self.folder.logs, self._board.given_up):
            self._recorder.record(Kind.FAILURE_LOGGED, key, text=self._recorder.text(where))

    def _wind_up(self) -> None:
        """Stop what runs, in order; safe wherever the run has got to."""
        self._begin("stop")
        if self._conductor is not None:
            self._conductor.undo_all()
        if self._fleet is not None:
            self._fleet.stop(STOP_GRACE_S)
        for watch in self.parts.watches:
            with suppress(EnvironmentFailed):
                self._note(watch.look())  # A process that ends sends its last reports then.
        if self._unlisted:
            # An AMQP broker lists a delivered message only when it has it back: when the connection of its worker has ended.
            with suppress(BrokerFailed):
                self._note_held()
        if self._attendants is not None:
            self._attendants.stop()
        for pid, name in self._nodes.failed():
            self._recorder.record(Kind.RECORDER_FAILED, value=pid, text=self._recorder.text(name))

    def _until(self, condition: Callable[[], bool], timeout_s: float | None = None) -> bool:
        """Turn the loop until the condition holds; False when `timeout_s` passed first.

        Raises: ProcessFailed when the producer died, or a worker cannot be had.
        """
        limit_ns = deadline_ns(timeout_s) if timeout_s is not None else None
        while not condition():
            if limit_ns is not None and now_ns() > limit_ns:
                return False
            self._turn()
            time.sleep(TICK_S)
        return True

    def _turn(self) -> None:
        """Read, tend, strike, show: once."""
        self._abort.check()
        if self._wire is not None:
            self._wire.check()
        self._read()
        for watch in self.parts.watches:
            self._note(watch.look())
        self._tell_done()
        if self._fleet is not None and self._conductor is not None:
            if self._phase == "workload" and self._conductor.act():
                self._read()
                self._conductor.account()
            self._conductor.tend()
            self._sampler.look(self._fleet.workers)
            for worker in self._fleet.tend():
                self._board.forget(worker.name)
        if self._attendants is not None and self._phase != "stop":
            self._attendants.tend(self._read)
        if now_ns() - self._shown_ns > SHOW_EVERY_S * NS_PER_S:
            self._show()

    def _tell_done(self) -> None:
        """In a closed loop the producer waits for jobs to be done, and only the records of the workers tell."""
        arrivals = self.parts.scenario.workload.arrivals
        if self._phase == "workload" and arrivals is not None and arrivals.process == "closed":
            done = self._board.finished + self._board.dead
            self.folder.plan.with_name(self.folder.plan.name + ".done").write_bytes(done.to_bytes(8, "little"))

    def _read(self) -> None:
        """Take in what was recorded since the last time."""
        news = self._nodes.poll()
        for words in self._nodes.said():
            self._progress.say(words)
        self._board.see(news)
        for watch in self.parts.watches:
            watch.see(news)
        if self._fleet is not None and self._conductor is not None:
            self._fleet.see(news)
            self._conductor.see(news)
        if self._attendants is not None:
            self._attendants.see(news)

    def _begin(self, phase: str) -> None:
        self._phase = phase
        self._recorder.record(Kind.RUN_PHASE, text=self._recorder.text(phase))
        self._show()

    def _show(self) -> None:
        self._shown_ns = now_ns()
        board, strikes = self._board, self._conductor.strikes if self._conductor is not None else 0
        elapsed_s = seconds_between(self._started_ns, self._shown_ns)
        title = self.parts.scenario.title
        self._progress.show(Status(title, self._phase, elapsed_s, board.acknowledged, board.running, board.finished, strikes))

    def _save(self) -> None:
        """Gather what was recorded into the History, keep it, and clear the raw records and the servers' data away."""
        with interrupts_held():
            self._recorder.close()
            # What dates the monotonic moments: both clocks, read together.
            header = {"run": self.folder.run_id, "seed": self.parts.scenario.seed, "epoch_ns": time.time_ns() - now_ns()}
            self.history = kept(self.folder, self._nodes.gather(header))
            for further in (".go", ".done", ".begun"):
                self.folder.plan.with_name(self.folder.plan.name + further).unlink(missing_ok=True)
            self.saved = True

    def judge(self) -> tuple[Verdict, dict[str, Metric], list[Crossing]]:
        """The verdict, the metrics and what the gate says of them, from the saved History."""
        metrics = measure(self.history)
        return judge(self.history, self.parts.contracts), metrics, judge_gate(metrics, self.parts.scenario.gate)


def manners_of(spec: UpstreamSpec) -> Manners:
    """How the upstream of a scenario behaves."""
    quotas = tuple(QuotaRule(kind=q.kind, limit=q.limit, window_s=q.window, key=q.key) for q in spec.quota)
    return Manners(
        latency_s=spec.latency,
        quotas=quotas,
        retry_after=spec.retry_after,
        limit_headers=spec.limit_headers,
        idempotent=spec.idempotent,
    )
