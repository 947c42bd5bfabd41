"""The seam: what a queue library is to a run.

Further abilities are asked for and not required of everyone:

- `reports`, a class attribute (`TellsKinds`): the kinds of event that the adapter's agent records, beside those that
  the harness writes itself. An adapter that does not say is taken to record `LEAST_REPORTS`. A contract which needs
  a kind that is not among them is refused when the scenario is loaded: a promise that cannot be seen is not judged.
- `shapes`, a class attribute: which of chain, group and chord its agent's `Sender` composes, and by what means of the library.
- `ticks`, a class attribute of one that reports SCHEDULE_TICK: what its agent calls an entry of the library's own schedule.
- `setup_command(python, broker)` (`NeedsSetup`): what makes the library's own tables; run once in a broker that the run started.
- `inspected_with_broker = True`: the app connects when it is loaded, so it can be asked only once its broker runs.
- `recovers_within_s(broker, app)` (`TellsRecovery`): how long the library's own recovery may take, from the live settings: from
  its *sweep*, not from its timeout. Without it a crash map waits as long as the scenario says.
- `shortened(broker, app, lease_s)` (`ShortensLeases`): settings with which that takes seconds, for a crash map.
- `passable_s(broker, app)` (`RestsOnClocks`): the periods of it that end when the workers' clocks are put forward, for the same.
- `lease(broker, app)` (`TellsLease`): for how long a job is its worker's, by the live settings, for a lease proof.
- `heartbeat(broker, app, lease_s)` (`ShortensHeartbeats`): settings with which a silent connection ends so soon, for the same.
- `advice(broker)` (`Advises`): settings that matter for what a crash does to a job, each with what it costs.
- `number_from(broker, app, first)` (`NumbersJobs`): where job ids are numbers, the next one is this.
- `heartbeats`, a class attribute: signatures of what its workers say of themselves and not of a job, "EXPIRE rq:worker:# #": no
  steps of a crash map, even where a worker's name was said together with the job's, and is taken for one of its names.
- `preload`, a class attribute (`CanBeWarm`): modules of the library that may be imported once and shared by forked workers: none
  may open a connection, start a thread or read the environment when it is imported.
- `scheduler_command(python, name)` (`HasScheduler`): how its scheduler starts, where that is a process of its own.
- `mishaps = True`: the agent's module for the library has `AROUND` (see `agent.libraries`), so that faults of tasks work. Where
  it does not, a scenario with one is refused.
- `lists_held = False`: `held` cannot list the jobs, and answers none. A lease proof is refused then.
- `dead(broker, app)` (`ListsDead`): the jobs in the place where the library keeps failed ones. With it, the history
  has `job.buried`, and the contract `dead_letters` can be asked for.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from jobharness.brokers.broker import Broker
from jobharness.history.event import HARNESS_KINDS, Dead, Kind
from jobharness.scenario.model import QueueSpec

__all__ = [
    "LEAST_REPORTS",
    "Advice",
    "Advises",
    "App",
    "CanBeWarm",
    "Completion",
    "Counts",
    "HasScheduler",
    "Held",
    "LeaseTerms",
    "Limit",
    "ListsDead",
    "NeedsSetup",
    "NumbersJobs",
    "Queue",
    "RestsOnClocks",
    "ShortensHeartbeats",
    "ShortensLeases",
    "TellsKinds",
    "TellsLease",
    "TellsRecovery",
    "reported_kinds",
]

LEAST_REPORTS = frozenset(
    (Kind.ENQUEUE_BEGIN, Kind.ENQUEUE_ACKNOWLEDGED, Kind.JOB_RUNNING, Kind.JOB_FINISHED, Kind.JOB_FAILED, Kind.WORKER_READY)
)
"""What every adapter records."""


@dataclass(frozen=True)
class App:
    """What the live app says of itself: library version, settings that matter, tasks by name with their own settings.

    `missing`: what this version of the library cannot report though others can, such as {"job.retried": why}; or cannot do:
    {"stop": why} of one whose workers need not end on SIGTERM. `home`: the file that it was imported from. `packages`: what is
    installed beside it, with versions.
    """

    version: str
    python: str
    settings: Mapping[str, Any]
    tasks: Mapping[str, Mapping[str, Any]]
    missing: Mapping[str, str] = field(default_factory=dict)
    home: str | None = None
    packages: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Counts:
    """How many jobs the broker knows of, by state; None where this queue cannot tell."""

    waiting: int | None = None
    running: int | None = None
    delayed: int | None = None
    dead: int | None = None

    @property
    def unsettled(self) -> int | None:
        """Jobs that may still run; None where the queue cannot tell."""
        known = [count for count in (self.waiting, self.running, self.delayed) if count is not None]
        return sum(known) if known else None


@dataclass(frozen=True)
class Held:
    """A job that the broker still holds, and where."""

    job_id: str
    where: str


@dataclass(frozen=True)
class Completion:
    """A job that is over: `dead` is why it was given up, None where it returned; `text`: the exception."""

    job_id: str
    dead: Dead | None = None
    text: str = ""


@dataclass(frozen=True)
class Advice:
    """A change that makes a job safer, to be tried. `settings` are laid over the app's, `options` over the job's; `why`: what it
    is for, and what it may cost, in words."""

    name: str
    why: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Limit:
    """What ends a run, or takes its job away, however much alive its worker is. `setting`: as its users write it; `lasts_s`:
    after how long, inf: never; `unit_s`: of the setting, in seconds."""

    setting: str
    lasts_s: float
    unit_s: float = 1.0


@dataclass(frozen=True)
class LeaseTerms:
    """For how long a job is its worker's.

    `words`: what the lease is, or what stands for it. `setting`: what sets it, as the library's users write it; "" where nothing
    does. `lasts_s`: how long a job stays with a worker that is silent, inf: for ever. `found_s`: how long until another looks for
    it after that, at most. `renewed_s`: how often the library renews it while the job runs; None: never. `unit_s`: of the
    setting, in seconds. `spare_s`: how much longer than the setting the lease lasts. `scales`: whether a shorter lease is renewed
    more often. `limit`: how long a run may take at all.
    """

    words: str
    setting: str = ""
    lasts_s: float = math.inf
    found_s: float = 0.0
    renewed_s: float | None = None
    unit_s: float = 1.0
    spare_s: float = 0.0
    scales: bool = False
    limit: Limit | None = None


class Queue(Protocol):
    """A queue library. Made from its part of the scenario; starts nothing by itself."""

    library: str
    brokers: tuple[str, ...]

    def __init__(self, spec: QueueSpec) -> None: ...

    def worker_command(self, python: Path, name: str) -> list[str]:
        """The command that its users start a worker with. `python`: the interpreter of the app's environment."""
        ...

    def agent_library(self) -> str:
        """The agent's module for this library, or the path of a file of that shape."""
        ...

    def counts(self, broker: Broker, app: App) -> Counts:
        """What the broker holds now. Raises: BrokerFailed when it does not answer."""
        ...

    def held(self, broker: Broker, app: App) -> Iterable[Held]:
        """Every job that the broker holds now, with the place. Raises: BrokerFailed when it does not answer."""
        ...


class TellsKinds(Protocol):
    """A queue that says which kinds of event its agent records."""

    reports: frozenset[Kind]


@runtime_checkable
class NeedsSetup(Protocol):
    """A queue whose users run a command once before the first worker: a migration, a schema."""

    def setup_command(self, python: Path, broker: Broker) -> list[str]:
        """That command; empty where this broker needs none. `python`: the interpreter of the app's environment; the broker runs
        already."""
        ...


@runtime_checkable
class CanBeWarm(Protocol):
    """A queue whose workers may be forked from a process that has imported the library."""

    preload: tuple[str, ...]


@runtime_checkable
class TellsRecovery(Protocol):
    """A queue that knows how long its own recovery may take."""

    def recovers_within_s(self, broker: str, app: App) -> float:
        """From the death of a worker, a healthy one being there, until its jobs are taken again, at most, with the settings that
        the live app has; infinite where nothing ever brings them back. `broker`: its kind."""
        ...


@runtime_checkable
class ShortensLeases(Protocol):
    """A queue whose leases can be shortened by its settings, so that a map need not wait them out."""

    def shortened(self, broker: str, app: App, lease_s: float) -> Mapping[str, Any]:
        """Settings to be laid over the app's own, with which a lease lasts `lease_s`; empty where none need be shortened."""
        ...


@runtime_checkable
class RestsOnClocks(Protocol):
    """A queue whose recovery waits for the time of day of its workers, by periods that no setting shortens."""

    def passable_s(self, broker: str, app: App) -> Sequence[float]:
        """Those of the periods in `recovers_within_s` that are over when the workers' clocks are put forward, in their order;
        empty where there are none. What the broker's own clock measures is none of them."""
        ...


@runtime_checkable
class TellsLease(Protocol):
    """A queue that knows for how long a job is its worker's."""

    def lease(self, broker: str, app: App) -> LeaseTerms:
        """By the settings that the live app has. `broker`: its kind."""
        ...


@runtime_checkable
class ShortensHeartbeats(Protocol):
    """A queue whose lease is its connection to the broker."""

    def heartbeat(self, broker: str, app: App, lease_s: float) -> Mapping[str, Any]:
        """Settings with which the broker takes a silent connection for dead after `lease_s` or so; empty where there are none."""
        ...


@runtime_checkable
class Advises(Protocol):
    """A queue whose settings make a difference to what a crash does to a job."""

    def advice(self, broker: str) -> Sequence[Advice]:
        """Changes that its documentation names, the most telling first. `broker`: its kind."""
        ...


@runtime_checkable
class NumbersJobs(Protocol):
    """A queue whose job ids are numbers that the broker counts."""

    def number_from(self, broker: Broker, app: App, first: int) -> None:
        """Let the next job have this number, so that it cannot be taken for another number. Raises: BrokerFailed."""
        ...


@runtime_checkable
class HasScheduler(Protocol):
    """A queue whose periodic jobs are sent by a process of its own."""

    def scheduler_command(self, python: Path, name: str) -> list[str]:
        """The command that its users start it with; `{run.folder}` is filled in. `name`: such as "scheduler-1"."""
        ...


@runtime_checkable
class ListsDead(Protocol):
    """A queue that has a place for failed jobs (a dead-letter queue, a registry of failures), and can list it."""

    def dead(self, broker: Broker, app: App) -> Iterable[Held]:
        """Every job that is kept there now, with the place. Raises: BrokerFailed when it does not answer."""
        ...


def reported_kinds(kind: type[Queue]) -> frozenset[Kind]:
    """Every kind of event that a history of this queue can have: its agent's and the harness's."""
    own: frozenset[Kind] = getattr(kind, "reports", LEAST_REPORTS)
    buried = {Kind.JOB_BURIED} if hasattr(kind, "dead") else set()
    return own | HARNESS_KINDS | buried
