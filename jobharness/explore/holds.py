"""Holds every execution of one task at its beginning, until it is let go: so a schedule is played, and not hoped for.

Each execution that begins takes the next of a row of orders of its own (see `agent.mishaps`) and waits until that is taken back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jobharness.history.event import Kind
from jobharness.history.follow import News
from jobharness.runner.scene import place_order

__all__ = ["Begun", "Holds"]

ORDERS = 8
NAME = "hold-{}"


@dataclass(frozen=True)
class Begun:
    """An execution that is held, or was. `label`: its order."""

    key: bytes
    worker: str
    process: int
    label: str


class Holds:
    """The orders of one stage. `begun`: the executions that were held, in their order."""

    def __init__(self, folder: Path, task: str, blocks: bool) -> None:
        """`folder`: of the stage's mishaps; `task`: its name; `blocks`: whether the first execution blocks its thread, which a
        coroutine need not."""
        self._folder, self._task = folder, task
        self.begun: list[Begun] = []
        for number in range(1, ORDERS + 1):
            self._place(number, "block" if blocks and number == 1 else "hang")

    def _place(self, number: int, action: str) -> None:
        label = NAME.format(number)
        order = {
            "action": action, "task": self._task, "hits": 1, "share": 1.0, "delay_s": 0.0, "factor": 1.0, "size_bytes": 0,
            "code": 0, "label": label, "seed": number,
        }  # fmt: skip
        place_order(self._folder / f"{label}.json", order)

    def see(self, news: Sequence[News]) -> None:
        """Learn which execution took which order."""
        for one in news:
            if one.kind is Kind.FAULT_HIT and one.role == "worker" and one.text.startswith("hold-"):
                self.begun.append(Begun(one.key, one.name, one.process, one.text))

    def let_go(self, begun: Begun) -> None:
        """Let it run."""
        (self._folder / f"{begun.label}.json").unlink(missing_ok=True)

    def let_all_go(self) -> None:
        """Let all run, those that are to come as well."""
        for path in self._folder.glob("*.json"):
            path.unlink(missing_ok=True)
