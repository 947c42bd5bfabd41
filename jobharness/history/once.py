"""Things that are made when they are first asked for, each once, whichever thread asks."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, TypeVar

__all__ = ["Once"]

Made = TypeVar("Made")


def _keep_all(made: dict[Hashable, Any]) -> None:
    """Drops nothing."""


class Once:
    """What was made, by name. A thread that asks for what another one is making waits for it; what they make at the same time
    are different things.

    `drop` is handed all that is kept, the latest used last, and takes out what is not to be kept.
    """

    def __init__(self, drop: Callable[[dict[Hashable, Any]], None] = _keep_all) -> None:
        self._drop = drop
        self._made: dict[Hashable, Any] = {}
        self._turns: dict[Hashable, Lock] = {}
        self._lock = Lock()

    def __call__(self, name: Hashable, make: Callable[[], Made]) -> Made:
        """What was made under this name, or what `make` makes now."""
        with self._lock:
            turn = self._turns.setdefault(name, Lock())
        with turn:
            kept = self._made.get(name)
            made: Made = make() if kept is None else kept
            with self._lock:
                self._made.pop(name, None)
                self._made[name] = made
                self._drop(self._made)
        return made
