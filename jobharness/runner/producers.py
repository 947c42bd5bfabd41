"""Who sends the jobs of the plan: the producer that comes with the agent, or a load generator in its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from jobharness.runner.folder import RunFolder
from jobharness.runner.nodes import Nodes, OneNode
from jobharness.scenario.model import Scenario

__all__ = ["OneProducer", "ProducerProcess", "Producers"]


@dataclass(frozen=True)
class ProducerProcess:
    """One process of those that send, and how it ends.

    `sends`: it says PRODUCER_READY once it can, and PRODUCER_DONE when its share of the plan is sent; the others run beside it.
    `may_vanish`: the others go on without it, and its share is lost. `direct`: it is told the broker's own address, past
    the proxy if there is one: what it is told is for other machines.
    """

    name: str
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    sends: bool = True
    may_vanish: bool = False
    direct: bool = False


class Producers(Protocol):
    """The seam. `command`: what repeats such a run, before the scenario and the seed."""

    @property
    def command(self) -> Sequence[str]: ...

    def check(self, scenario: Scenario) -> None:
        """Raises: InvalidRequest where they cannot send what the scenario has to be sent, before anything is started."""
        ...

    def processes(self, scenario: Scenario, python: Path, folder: RunFolder) -> Sequence[ProducerProcess]:
        """Those to start, in this order, by the app's interpreter; ended in the same order. One at least sends, here or
        elsewhere."""
        ...

    def nodes(self, folder: RunFolder) -> Nodes:
        """The machines that they are on. Called once a run, before anything is started."""
        ...


class OneProducer:
    """The agent's own producer: one process with the whole plan. One that a fault killed is followed by another."""

    command = ("jobharness", "run")

    def check(self, scenario: Scenario) -> None:
        """It sends whatever there is."""

    def processes(self, scenario: Scenario, python: Path, folder: RunFolder) -> Sequence[ProducerProcess]:
        """One."""
        return [ProducerProcess("producer", [str(python), "-m", "jobharness_agent.producer", str(folder.plan)])]

    def nodes(self, folder: RunFolder) -> Nodes:
        """This machine."""
        return OneNode(folder)
