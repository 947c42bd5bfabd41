"""What is done once before many stages are set: the app is asked, leases are shortened, processes and servers are made warm."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jobharness.brokers.broker import LivesInFolder
from jobharness.errors import ExtraMissing, InvalidRequest, UnknownName
from jobharness.explore.outcome import Lease
from jobharness.explore.rooms import Rooms, places_of
from jobharness.explore.stage import Setting, Start
from jobharness.processes.process import Process
from jobharness.processes.site import Site
from jobharness.processes.zygote import Zygote
from jobharness.queues.queue import App, CanBeWarm, RestsOnClocks, ShortensHeartbeats, ShortensLeases, TellsRecovery
from jobharness.runner.clocks import ClockPlan, Clocks
from jobharness.runner.folder import RunFolder
from jobharness.runner.inspection import inspect_app
from jobharness.runner.parts import Parts
from jobharness.runner.peers import start_peers
from jobharness.runner.setup import set_up
from jobharness.runner.surroundings import Surroundings
from jobharness.scenario.model import Scenario
from jobharness.scenario.workload import JobSpec
from jobharness.wire.framing import FRAMINGS
from jobharness.workload.plan import planned_jobs

__all__ = ["Assemble", "Preparation", "Wishes", "jobs_of", "sendable", "undisturbed"]

STANDARD = ("encodings.ascii", "encodings.idna", "http.client", "sqlite3", "urllib.request")
"""What the agent and many an app import, of the standard library."""

AGENT = ("jobharness_agent.dispatch", "jobharness_agent.pace")
"""What the producer imports, of the agent."""

WIRE = (
    "uvloop",
    "asyncio",
    "encodings.idna",
    "jobharness.history.follow",
    "jobharness.wire.door",
    "jobharness.wire.link",
    "jobharness.wire.listener",
    *(name.partition(":")[0] for name in FRAMINGS.values()),
)

Assemble = Callable[[Scenario], Parts]
"""Chooses and makes the kinds that a scenario names."""


@dataclass(frozen=True)
class Wishes:
    """How stages are to be prepared. `lease_s`: what leases that last longer are shortened to, None: they stay; `zygote`: whether
    processes may be forked from warm ones; `connections`: whether a silent connection is to end as soon, too; `clocks`: whether
    the workers' clocks are to be movable, where the library's recovery waits for them."""

    lease_s: float | None
    zygote: bool = True
    connections: bool = False
    clocks: bool = False


class Preparation:
    """The preparation of one scenario. `scenario`, `parts` and `app` are those with shortened leases, once they are; `lease` says
    how they were shortened, None where they were not; `clock`: how the workers' clocks can be moved, None where they cannot."""

    def __init__(self, scenario: Scenario, assemble: Assemble, folder: RunFolder, wishes: Wishes) -> None:
        self.scenario, self.folder = scenario, folder
        self._settings = scenario.queue.settings
        self._assemble, self._wishes = assemble, wishes
        self.parts = assemble(scenario)
        self._start: Start = Process
        self.app: App | None = None
        self.as_given: App | None = None  # The app before its leases were shortened.
        self.lease: Lease | None = None
        self.clock = _clock_of(self.parts) if wishes.clocks else None

    def prepare(self, stack: ExitStack) -> Setting:
        """Ask the app, shorten its leases and see that they are shortened. Raises: InvalidRequest."""
        if isinstance(self.parts.broker, LivesInFolder):
            self.parts.broker.live_in(self.folder.data)
        self._start, start_wire = self._warm(stack)
        self.app = self.as_given = self._inspect(stack, self.parts)
        if self._wishes.lease_s is not None:
            self._shorten(stack, self._wishes.lease_s)
        rooms = Rooms.shared(self.parts, self.app, self.folder, stack)
        jobs = jobs_of(self.parts)
        return Setting(self._on_stage, self.app, self.folder.run_id, jobs, self._start, start_wire, rooms)

    def _on_stage(self) -> Parts:
        return replace(self._assemble(self.scenario), clock=self.clock)

    def lengthen(self, stack: ExitStack, setting: Setting, lease_s: float) -> Setting:
        """A lease that is shorter than the job would be taken from its living owner."""
        self.scenario = self.scenario.with_(queue__settings=self._settings)
        self.app, self.lease = self.as_given, None
        self._shorten(stack, math.ceil(lease_s))
        assert self.app is not None
        return replace(setting, app=self.app)

    def _shorten(self, stack: ExitStack, lease_s: float) -> None:
        assert self.app is not None
        queue, kind = self.parts.queue, self.scenario.broker.kind
        if not isinstance(queue, TellsRecovery):
            return
        changes = dict(queue.shortened(kind, self.app, lease_s)) if isinstance(queue, ShortensLeases) else {}
        if self._wishes.connections and isinstance(queue, ShortensHeartbeats):
            changes.update(queue.heartbeat(kind, self.app, lease_s))
        if not changes:
            return
        before_s = queue.recovers_within_s(kind, self.app)
        self.scenario = self.scenario.with_(queue__settings=_laid_over(self._settings, changes))
        # The inspection refuses a setting that did not take, so a lease that was not shortened is no silent "lost".
        self.parts = replace(self._assemble(self.scenario), broker=self.parts.broker, peers=self.parts.peers)
        self.app = self._inspect(stack, self.parts)
        self.lease = Lease(lease_s, queue.recovers_within_s(kind, self.app), before_s, dict(changes))

    def _inspect(self, stack: ExitStack, parts: Parts) -> App:
        folder, mark = self.folder, self.folder.run_id
        around = Surroundings(parts, folder, places_of(parts, folder))
        if getattr(parts.queue, "inspected_with_broker", False):
            site = Site(folder.data, folder.logs, folder.records, mark, around.without_agent())
            if not parts.broker.version:
                stack.callback(parts.broker.stop)
                parts.broker.start(site)
                start_peers(parts, site, stack)
                set_up(parts, around, site)
        return inspect_app(parts, around, folder, mark, self._start)

    def _warm(self, stack: ExitStack) -> tuple[Start, Start]:
        """What starts the app's processes, and the proxy: forks of warm processes, where that may be."""
        if not self._wishes.zygote or not hasattr(os, "fork"):
            return Process, Process
        parts, folder, mark = self.parts, self.folder, self.folder.run_id
        around = Surroundings(parts, folder, places_of(parts, folder))

        def zygote(name: str, python: Path, env: Mapping[str, str], modules: Sequence[str], module: str) -> Start:
            made = Zygote(python, env, around.cwd, folder.logs / f"{name}.log", mark, modules, module)
            stack.callback(made.stop)
            return made.start

        start_wire = zygote("zygote-wire", Path(sys.executable), around.without_agent(), WIRE, "jobharness.agent.zygote")
        if not isinstance(parts.queue, CanBeWarm):
            return Process, start_wire
        env = {
            name: value for name, value in around.for_process("zygote", "zygote").items() if not name.startswith("JOBHARNESS_")
        }
        if self.clock is not None:
            env |= Clocks(self.clock, folder.data / "clocks").env_for("zygote")
        modules = (*STANDARD, *AGENT, f"jobharness_agent.libraries.{parts.queue.agent_library()}", *parts.queue.preload)
        return zygote("zygote", around.python, env, modules, "jobharness_agent.zygote"), start_wire


def _clock_of(parts: Parts) -> ClockPlan | None:
    """By freezegun, which forks of a warm process can have; None where it cannot be had, or nothing waits for a clock."""
    if not isinstance(parts.queue, RestsOnClocks):
        return None
    try:
        return ClockPlan.through(["freezegun"], parts.scenario.queue.command)
    except (InvalidRequest, ExtraMissing):
        return None


def sendable(scenario: Scenario, what: str, wanted: str | None, *, shapes: bool = False) -> list[JobSpec]:
    """The kinds of job that are sent by their task, or the one that is wanted. `what` is to be made of them: "a crash map";
    `shapes`: of chains, groups and chords, too. They are wanted by their name, or by any of their tasks.

    Raises: UnknownName for a task that the workload does not have; InvalidRequest where it has none at all, or the broker is not
    ours.
    """
    tasks = {job.name: job for job in scenario.workload.job if job.task is not None or (shapes and job.links)}
    if not tasks:
        raise InvalidRequest(f"{what} needs a job that is sent by its `task`; the workload has none. Add a [[workload.job]]")
    if scenario.broker.url is not None:
        raise InvalidRequest(
            f"{what} needs a fresh broker for each trial and empties none that it did not start; leave broker.url out"
        )
    if wanted is None or wanted in tasks:
        return [job for name, job in tasks.items() if wanted in (None, name)]
    if parts := [job for job in tasks.values() if wanted in job.tasks]:
        return parts
    raise UnknownName("task in this scenario's workload", wanted, tasks)


def undisturbed(
    scenario: Scenario, jobs: Sequence[JobSpec], workers: int, settings: Mapping[str, Any], nudges: int = 1
) -> Scenario:
    """The scenario with nothing going wrong, these kinds of job, and workers that are always replaced. `settings`: are laid over
    the app's own; `nudges`: how many jobs may follow the one."""
    return scenario.with_(
        fault=(),
        control=False,
        service=None,
        gate={},
        queue__workers=workers,
        queue__restart="always",
        queue__restart_delay=0.0,
        queue__settings={**scenario.queue.settings, **settings},
        workload={
            "locale": scenario.workload.locale,
            "arrivals": {"process": "backlog", "jobs": 1 + nudges},
            "job": [job.model_dump(exclude_unset=True, by_alias=True) for job in jobs],
        },
    )


def jobs_of(parts: Parts) -> Sequence[Mapping[str, Any]]:
    """The job and its nudges, in the producer's form. A chain, group or chord is nudged by the first of its jobs alone."""
    job, *nudges = planned_jobs(parts.scenario.workload, parts.scenario.seed, project=parts.project)
    return [job, *(_nudge(one) for one in nudges)]


def _nudge(job: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**job["links"][0], "options": {}, "at_ns": job["at_ns"], "at_once": True} if "links" in job else job


def _laid_over(settings: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that are tables keep their other entries."""
    return {
        **settings,
        **{name: {**settings.get(name, {}), **value} if isinstance(value, Mapping) else value for name, value in changes.items()},
    }
