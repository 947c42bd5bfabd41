"""What a run is made of, already chosen: the kinds that the scenario names, made and checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jobharness.brokers.broker import Broker
from jobharness.contracts.contract import Contract
from jobharness.errors import JobharnessBug
from jobharness.faults.fault import Fault
from jobharness.faults.trigger import Trigger
from jobharness.queues.queue import Queue
from jobharness.runner.clocks import ClockPlan
from jobharness.runner.watch import Watch
from jobharness.scenario.model import Scenario
from jobharness.wire.plan import WirePlan

__all__ = ["ArmedFault", "Parts"]


@dataclass(frozen=True)
class ArmedFault:
    """A fault, when it strikes, and the label that it has in the history.

    `lasts_s`: how long until it is undone, where it lasts; None: to the end of the workload. `step`: the message that
    triggers it (see `wire.match`), where one does. `times`: how often it strikes; None: always.
    """

    label: str
    fault: Fault
    trigger: Trigger
    lasts_s: float | None = None
    step: str | None = None
    times: int | None = 1


def _no_database(url: str) -> Broker:
    raise JobharnessBug(f"these parts know no databases, and {url} is one")


@dataclass(frozen=True)
class Parts:
    """Everything a run needs. `source`: the scenario's file, or None; `project`: the folder that its paths are relative to."""

    scenario: Scenario
    source: Path | None
    project: Path
    queue: Queue
    broker: Broker
    faults: tuple[ArmedFault, ...]
    contracts: tuple[Contract, ...]
    wire: WirePlan | None = None
    """The proxy that the faults need, or None."""
    watches: tuple[Watch, ...] = ()
    """What looks at the run from outside."""
    clock: ClockPlan | None = None
    """How the workers' clocks can be moved, where a fault does; or None."""
    database: Callable[[str], Broker] = field(default=_no_database)
    """Makes what the app keeps its own data in, by its address, not started. Raises: InvalidRequest for one that is neither."""
    peers: Mapping[str, Broker] = field(default_factory=dict)
    """The servers of the app's own data, by the names of their peers, not started."""
    disk_bytes: int = 0
    """The size of the file system under the broker's data, where a fault needs one of its own; or 0."""
