"""How a run tells where it is, while it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

__all__ = ["Progress", "Silent", "Status"]


@dataclass(frozen=True)
class Status:
    """Where a run is. Counts of jobs, and of strikes of faults so far."""

    title: str
    phase: str
    elapsed_s: float
    enqueued: int
    running: int
    done: int
    strikes: int

    def __str__(self) -> str:
        return (
            f"{self.phase:<10} {self.elapsed_s:5.1f} s  enqueued {self.enqueued}  running {self.running}  "
            f"done {self.done}  faults {self.strikes}"
        )


class Progress(Protocol):
    """Shown a status a few times a second, and once at the start of each phase."""

    def show(self, status: Status) -> None: ...

    def say(self, words: str) -> None:
        """Tell something that happened, once."""
        ...


class Silent:
    """Shows nothing."""

    def show(self, status: Status) -> None:
        """Do nothing."""

    def say(self, words: str) -> None:
        """Do nothing."""
