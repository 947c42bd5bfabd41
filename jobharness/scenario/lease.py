"""The table [lease] of a scenario: what its lease proof is told, and what it must not find."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from jobharness.scenario.part import Part
from jobharness.scenario.units import Duration

__all__ = ["LeaseSpec"]


class LeaseSpec(Part):
    """The lease proof of this scenario: can a job have two live owners, and can a stale one still settle it?"""

    job: str | None = None
    """The task of the only kind of job that is tried; every kind with a task where it is left out."""
    lasts: Duration | None = None
    """For how long a job is its worker's while that says nothing more of it; as the adapter tells it where it is left out."""
    found_within: Duration | None = None
    """How long until another worker has found a job whose lease ran out, at most; as the adapter tells it, or 1s."""
    renewed_every: Duration | None = None
    """How often the lease is renewed while a job runs; as the adapter tells it, or as it was seen, where it is left out."""
    setting: str = ""
    """What sets the lease, such as "SHOP_LEASE_S"; as the adapter tells it where it is left out."""
    safety: float = Field(default=2.0, ge=1)
    """How many times the longest run the smallest safe lease is."""
    times: str | None = None
    """A run's folder, from whose history the run times are taken; from runs of the job alone where it is left out."""
    forbid: tuple[Literal["stale", "short", "pause", "slow", "blocked", "clock"], ...] = Field(
        default=("stale", "short"), min_length=1
    )
    """What must not be: a stale owner that settles, a lease that is shorter than the smallest safe one, two live owners by a
    pause, a slow run, a slow run that blocks its process, or a step of a clock."""
    known_gap: str | None = None
    """A reason why something forbidden is expected to be found: a strict expected failure of the proof's test."""
    shorten: bool = True
    """Whether leases that last longer than `shorten_to` are shortened by settings, so that a proof takes seconds."""
    shorten_to: Duration = Field(default=6.0, gt=0)
    """What leases are shortened to, as far as the library lets them be."""
    settings: dict[str, Any] = {}
    """Settings for the proof alone, laid over those of [queue]."""
    tries: int = Field(default=1, ge=1, le=5)
    """How often each schedule is tried; the gravest answer counts."""
    lanes: int | None = Field(default=None, ge=1, le=64)
    """How many trials at once; by the machine's cores where it is left out."""
    clock: Literal["", "freezegun", "libfaketime"] = ""
    """What moves the workers' clocks, as the fault `clock` has it in `through`."""
    zygote: bool = True
    """Whether workers are forked from a process that has imported the library, where the adapter knows how."""
