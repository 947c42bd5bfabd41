"""A step fault: which message it waits for, how often, and what it does to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jobharness.wire.jobs import Job
from jobharness.wire.match import Match

__all__ = ["ACTS", "Step"]

ACTS = ("hold", "hold_reply", "lose", "lose_reply", "delay", "repeat")


@dataclass
class Step:
    """One fault that waits for messages. Counts over all connections that its match means.

    `act`: "hold" stops all traffic of the process there until it is released, "hold_reply" when the message's reply comes; the
    others are done to the message alone.
    `times`: how often; None: always. `by_s`: with "delay", how long. `reset`: with the two that lose something, whether
    the connection is then reset (the sender is told) or nothing is said.
    """

    label: str
    match: Match
    act: str
    times: int | None = 1
    by_s: float = 0.0
    reset: bool = False
    seen: int = 0
    struck: int = 0
    holding: bool = False
    begun: bool = False

    def notice(self, is_reply: bool, jobs: Sequence[Job]) -> None:
        """Look at a message, whether it is meant or not: counting may begin with it."""
        self.begun = self.begun or (is_reply and any(job.number == self.match.since for job in jobs))

    @property
    def waits(self) -> bool:
        """Whether it can still strike, now."""
        return not self.holding and (self.times is None or self.struck < self.times)

    def counts(self, jobs: Sequence[Job], sent: int) -> bool:
        """Whether a message that fits, and is about these jobs, is the one to strike at. `sent`: how many there are of the
        workload."""
        if (self.match.since and not self.begun) or sent < self.match.sent:
            return False
        wanted = self.match.job
        if wanted is not None and not any(wanted in ("any", job.number, job.name) for job in jobs):
            return False
        self.seen += 1
        return self.seen >= self.match.nth
