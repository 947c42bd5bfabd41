"""The seam: what a fault is, and what it may see and do.

A fault is instant (a signal) or lasts until it is undone (a pause). One that goes on working while it is open, such as a
rolling restart, has `work` besides (`Working`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol, runtime_checkable

from jobharness.brokers.broker import Broker
from jobharness.errors import InvalidRequest
from jobharness.history.event import Kind
from jobharness.history.follow import News
from jobharness.processes.disk import LimitedDisk
from jobharness.upstream.behaviour import Misbehaviour
from jobharness.wire.control import Wire

__all__ = [
    "CLOCKS", "EVERYONE", "PROCESS", "AtStep", "CanArm", "CanMisbehave", "CanMoveClocks", "Fault", "Healing", "Scene", "Target",
    "Working", "aim", "checked_target", "everyone",
]  # fmt: skip

TARGETS = ("worker", "child", "tree", "all", "producer", "scheduler")
PROCESS = "process:"
NAMED = re.compile(r"(?:worker|scheduler)-[1-9]\d*")


@dataclass(frozen=True)
class Target:
    """Where a fault strikes: a worker's main process, a pool child (`child`), or, with no worker's name, all of the run.

    The jobs that it holds while the fault is open are what the fault hit.
    """

    worker: str
    pid: int
    child: bool = False


EVERYONE = Target("", 0)


class CanMisbehave(Protocol):
    """The upstream, as a fault sees it (see `jobharness.upstream.server`)."""

    @property
    def pid(self) -> int: ...

    def misbehave(self, wrong: Misbehaviour) -> None: ...

    def behave(self, label: str) -> None: ...


CLOCKS = ("freezegun", "libfaketime")
"""Ways in which the clock of a worker can be moved."""


class CanMoveClocks(Protocol):
    """The workers' clocks, as a fault sees them (see `jobharness.runner.clocks`)."""

    @property
    def workers(self) -> Sequence[str]: ...

    def move(self, worker: str, by_s: float, label: str) -> None: ...


class CanArm(Protocol):
    """Strikes at messages by itself once it is armed: the proxy, or for SQLite the agent at its own statements."""

    @property
    def framing(self) -> str | None: ...

    def arm(self, label: str, match: str, act: str, times: int | None = 1, by_s: float = 0.0, reset: bool = False) -> None: ...

    def disarm(self, label: str) -> object: ...

    def release(self, label: str, forward: bool) -> None: ...


class Scene(Protocol):
    """What a fault sees of the run, and the only way it reaches a process: those that the run started, and no others."""

    @property
    def label(self) -> str:
        """What the fault is called in this run."""
        ...

    @property
    def broker(self) -> Broker:
        """The broker of the run."""
        ...

    def clients(self) -> Sequence[str]:
        """The processes of the app that the broker serves, by name: workers, ready or not, producer, service."""
        ...

    def connections(self, name: str) -> Sequence[int]:
        """The ports from which a process of the app, by its name, is connected to the broker, as the broker sees them."""
        ...

    @property
    def upstream(self) -> CanMisbehave | None:
        """The API that jobs call, if the scenario has one."""
        ...

    @property
    def wire(self) -> Wire | None:
        """The proxy between app and broker; None where no fault of the scenario needs one."""
        ...

    @property
    def steps(self) -> CanArm | None:
        """Where faults at broker steps are armed: the proxy, or the agent for SQLite; None where no fault needs it."""
        ...

    @property
    def disk(self) -> LimitedDisk | None:
        """The file system under the broker's data; None where no fault of the scenario needs one of its own."""
        ...

    @property
    def clocks(self) -> CanMoveClocks | None:
        """The workers' clocks; None where no fault of the scenario moves one."""
        ...

    @property
    def random(self) -> Random:
        """This fault's own stream of the seed."""
        ...

    def workers(self) -> Sequence[Target]:
        """The main processes of the workers that are ready, in the order of their names."""
        ...

    def beside(self) -> Sequence[Target]:
        """The producer and the schedulers, those that run."""
        ...

    def outside(self, name: str) -> Sequence[Target]:
        """The processes that the scenario calls by this name and allows, which the run did not start."""
        ...

    def children(self, worker: str) -> Sequence[Target]:
        """The living pool children of a worker."""
        ...

    @property
    def whole(self) -> bool:
        """Whether every worker that should run is ready."""
        ...

    def memory_bytes(self, target: Target) -> int:
        """The resident memory of a process; 0 when it is gone."""
        ...

    def redeploy(self, env: Mapping[str, str], folder: str | None) -> None:
        """Start replacements with these variables laid over the app's, and in this folder, from now on."""
        ...

    def order_mishap(self, order: Mapping[str, Any]) -> None:
        """Let executions go wrong inside the workers (see `jobharness.agent.mishaps`); one order for a fault."""
        ...

    def cancel_mishap(self) -> None:
        """Take this fault's order back. Safe to call twice."""
        ...

    def alive(self, target: Target) -> bool:
        """Whether the process still runs."""
        ...

    def signal(self, target: Target, number: int) -> None:
        """Send a signal to a target. Nothing happens when it is gone."""
        ...


class Fault(Protocol):
    """Something that goes wrong. Made from its details in the scenario; refuses details it does not know.

    What it cannot do without stands in a class attribute `needs`: "upstream" (the scenario has one), "mishaps" (the
    agent can let this library's tasks go wrong), "clocks" (the workers' clocks can be moved), "disk" (the broker's data
    is on a file system of its own). A scenario without it is refused. What it does through the proxy says
    `on_wire = True`. `tells`: what a reader of the verdict must know of a strike, where there is such a thing.

    `on_broker`: the ability (see `brokers.abilities`) that the broker must have; `changes_broker = True`: only one that the
    run started may be struck. `lasts_s`: for one that lasts, how long where the scenario does not say.
    """

    kind: str
    lasting: bool

    def __init__(self, **details: Any) -> None:
        """`details`: the keys of the scenario's [[fault]] that are not its trigger. A key it does not take is a TypeError."""
        ...

    def strike(self, scene: Scene, news: News | None) -> Sequence[Target]:
        """Do it once, and say which processes were struck; none, where there was nobody to strike.

        `news`: the event that triggered it, or None where a moment did.
        """
        ...

    def undo(self, scene: Scene) -> None:
        """Undo what is not undone by itself. Safe to call twice."""
        ...


@runtime_checkable
class Working(Protocol):
    """A fault that goes on working while it is open."""

    def work(self, scene: Scene) -> bool:
        """Do the next bit, if it is time; True when it is over. Called every few milliseconds; never blocks."""
        ...


@runtime_checkable
class Healing(Protocol):
    """A fault whose undoing takes time, such as a server that starts again."""

    def healed(self, scene: Scene) -> bool:
        """Whether all is as before. Called every few milliseconds after `undo`; never blocks for long."""
        ...


@runtime_checkable
class AtStep(Protocol):
    """A fault that is carried out at the message itself, at the message that `on = "broker.step:..."` names."""

    def arm(self, scene: Scene, match: str, times: int | None) -> None:
        """Say which message. `match`: the words behind "broker.step:"; `times`: how often, None: always."""
        ...


def everyone(scene: Scene) -> Sequence[Target]:
    """The target of what befalls the broker, and with it all of the run: with the broker's process id, where it has one here."""
    return (Target("", getattr(scene.broker, "pid", 0)),)


def checked_target(kind: str, target: str) -> str:
    """The target if it is one, or the name of a worker or a scheduler. Raises: InvalidRequest."""
    if target not in TARGETS and not NAMED.fullmatch(target) and not target.startswith(PROCESS):
        allowed = f"{', '.join(TARGETS)}, a name such as worker-1, or {PROCESS}NAME"
        raise InvalidRequest(f"fault {kind!r}: target must be one of {allowed}, not {target!r}")
    return target


def aim(scene: Scene, target: str, news: News | None) -> Sequence[Target]:
    """The processes to strike: where the event came from, if one of a worker triggered the fault, else any of the ready workers.

    "worker" is a main process, "child" one of its pool, "tree" a worker with its whole pool, "all" every worker's tree;
    "producer"; "scheduler" one of these; a name; or "process:NAME", one that the run did not start. Empty where there is
    nobody, or the one meant is gone.
    """
    if target.startswith(PROCESS):
        return scene.outside(target.removeprefix(PROCESS))
    workers = scene.workers()
    if NAMED.fullmatch(target) or target == "producer":
        return [one for one in (*workers, *scene.beside()) if one.worker == target]
    if target == "scheduler":
        schedulers = [one for one in scene.beside() if one.worker.startswith("scheduler-")]
        meant = [one for one in schedulers if news is not None and one.worker == news.name] or schedulers
        return (scene.random.choice(meant),) if meant else ()
    if target == "all":
        return [process for worker in workers for process in (worker, *scene.children(worker.worker))]
    if news is not None and not news.name.startswith("worker-"):
        news = None
    if news is not None:
        workers = [worker for worker in workers if worker.worker == news.name]
    if not workers:
        return ()
    worker = scene.random.choice(list(workers))
    if target == "worker":
        return (worker,)
    children = scene.children(worker.worker)
    if target == "tree":
        return (worker, *children)
    # The proxy sees which worker a message is from, but not which of its processes.
    if news is not None and not (news.kind is Kind.BROKER_STEP and news.role == "wire"):
        return [child for child in children if child.pid == news.process]
    return (scene.random.choice(list(children)),) if children else ()
