"""Things that are made when they are first asked for, each once, whichever thread asks."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, TypeVar

__all__ = ["Once"]

Made = TypeVar("Made")


class Once:
    """What was made, by name. A thread that asks for what another one is making waits for it; what they make at the same time
    are different things.
    """

    def __init__(self) -> None:
        self._made: dict[Hashable, Any] = {}
        self._turns: dict[Hashable, Lock] = {}
        self._lock = Lock()

    def __call__(self, name: Hashable, make: Callable[[], Made]) -> Made:
        """What was made under this name, or what `make` makes now."""
        with self._lock:
            turn = self._turns.setdefault(name, Lock())
        with turn:
            if name not in self._made:
                self._made[name] = make()
            made: Made = self._made[name]
        return made
