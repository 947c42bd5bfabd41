"""The seam: what a queue library is to a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from jobharness.brokers.broker import Broker
from jobharness.scenario.model import QueueSpec

__all__ = ["App", "Counts", "Held", "Queue"]


@dataclass(frozen=True)
class App:
    """What the live app says of itself: library version, settings that matter, tasks by name with their own settings."""

    version: str
    python: str
    settings: Mapping[str, Any]
    tasks: Mapping[str, Mapping[str, Any]]


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
