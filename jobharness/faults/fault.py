"""The seam: what a fault is, and what it may see and do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol

from jobharness.errors import InvalidRequest
from jobharness.history.follow import News

__all__ = ["Fault", "Scene", "Target", "aim", "checked_target"]


@dataclass(frozen=True)
class Target:
    """A process that a fault may strike: a worker's main process, or one of its pool children (`child`)."""

    worker: str
    pid: int
    child: bool = False


class Scene(Protocol):
    """What a fault sees of the run, and the only way it reaches a process: those that the run started, and no others."""

    @property
    def random(self) -> Random:
        """This fault's own stream of the seed."""
        ...

    def workers(self) -> Sequence[Target]:
        """The main processes of the workers that are ready, in the order of their names."""
        ...

    def children(self, worker: str) -> Sequence[Target]:
        """The living pool children of a worker."""
        ...

    def signal(self, target: Target, number: int) -> None:
        """Send a signal to a target. Nothing happens when it is gone."""
        ...


TARGETS = ("worker", "child")


def checked_target(kind: str, target: str) -> str:
    """The target if it is one. Raises: InvalidRequest."""
    if target not in TARGETS:
        raise InvalidRequest(f"fault {kind!r}: target must be one of {', '.join(TARGETS)}, not {target!r}")
    return target


def aim(scene: Scene, target: str, news: News | None) -> Target | None:
    """The process to strike: where the event came from, if an event triggered the fault, else any of the ready ones.

    "worker" is a main process, "child" one of its pool. None where there is nobody, or the one meant is gone.
    """
    workers = scene.workers()
    if news is not None:
        workers = [worker for worker in workers if worker.worker == news.name]
    if not workers:
        return None
    worker = scene.random.choice(list(workers))
    if target == "worker":
        return worker
    children = scene.children(worker.worker)
    if news is not None:
        return next((child for child in children if child.pid == news.process), None)
    return scene.random.choice(list(children)) if children else None


class Fault(Protocol):
    """Something that goes wrong. Made from its details in the scenario; refuses details it does not know."""

    kind: str

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
