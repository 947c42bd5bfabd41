"""Task: the task's own code goes wrong: it raises, hangs, is slow, ends its process, leaks, or returns what nobody can store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jobharness.agent.mishaps import ACTIONS
from jobharness.errors import InvalidRequest, nearest
from jobharness.faults.fault import Scene, Target
from jobharness.history.follow import News
from jobharness.scenario.units import parse_duration, parse_size

__all__ = ["TaskGoesWrong"]


class TaskGoesWrong:
    """Some executions go wrong inside the worker; the worker itself records each one that was hit.

    `action`: "raise"; "hang" (in asyncio it yields) or "block" (it does not), for `by`, or until the fault is over;
    "slow" (`factor` times its own time, and `by` more); "exit" (the process ends at once with `code`: poison);
    "leak-memory" (`size` each time) or "leak-descriptors" (`count` each time), which stay leaked until the process is
    replaced; "unserialisable" or "huge" (`size`) answers. `of`: the task's name, all where it is left out. `hits`: how
    many executions of each strike; 0: all. `share`: the probability for each.
    """

    kind = "task"
    lasting = True
    needs = ("mishaps",)

    def __init__(
        self,
        action: str,
        of: str = "",
        hits: int = 1,
        share: float = 1.0,
        by: str = "0s",
        factor: float = 1.0,
        size: str = "1MB",
        count: int = 10,
        code: int = 1,
    ) -> None:
        if action not in ACTIONS:
            guess = nearest(action, ACTIONS)
            hint = f" Did you mean {guess!r}?" if guess else ""
            raise InvalidRequest(f"fault {self.kind!r}: action must be one of {', '.join(ACTIONS)}, not {action!r}.{hint}")
        try:
            delay_s, size_bytes = parse_duration(by), parse_size(size)
        except ValueError as error:
            raise InvalidRequest(f"fault {self.kind!r}: {error}") from None
        if not 0 < share <= 1 or hits < 0 or factor < 1:
            raise InvalidRequest(f"fault {self.kind!r}: share is above 0 and at most 1, hits at least 0, factor at least 1")
        self._order: dict[str, Any] = {
            "action": action,
            "task": of,
            "hits": hits,
            "share": share,
            "delay_s": delay_s,
            "factor": factor,
            "size_bytes": count if action == "leak-descriptors" else size_bytes,
            "code": code,
        }

    def strike(self, scene: Scene, news: News | None) -> Sequence[Target]:
        """Give the order."""
        scene.order_mishap({**self._order, "label": scene.label, "seed": scene.random.getrandbits(64)})
        return (Target("tasks", 0),)

    def undo(self, scene: Scene) -> None:
        """Take it back; what hangs goes on with the task's own code."""
        scene.cancel_mishap()
