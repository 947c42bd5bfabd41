"""The arrivals of a scenario: a process by name, and what it needs. What each does stands in
`jobharness.workload.arrivals`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from jobharness.scenario.part import Part
from jobharness.scenario.units import Duration, Rate

__all__ = ["Arrivals"]

NEEDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "constant": (("rate",), ()),
    "poisson": (("rate",), ()),
    "bursty": (("rate", "to", "quiet", "burst"), ()),
    "ramp": (("rate", "to"), ()),
    "step": (("rate", "to", "at"), ()),
    "spike": (("rate", "jobs"), ("every", "within")),
    "daily": (("rate", "day"), ("curve",)),
    "backlog": (("jobs",), ()),
    "closed": (("jobs", "in_flight"), ()),
}
"""Process -> the keys that it must have, and those that it may have."""


class Arrivals(Part):
    """When jobs arrive."""

    process: Literal["constant", "poisson", "bursty", "ramp", "step", "spike", "daily", "backlog", "closed"] = "poisson"
    """"constant": evenly spaced; "poisson": independent arrivals; "bursty": calm and busy by turns; "ramp": from one
    rate to another; "step": another rate from a moment on; "spike": many more at the top of each minute; "daily": a
    day's curve, compressed; "backlog": all at once, then none; "closed": a new one when another is done."""
    rate: Rate = 0.0
    """Mean arrivals per second, such as "50/s"; of a process that changes, what it begins with."""
    to: Rate = 0.0
    """The other rate of "bursty", "ramp" and "step"."""
    at: Duration = 0.0
    """When "step" changes."""
    quiet: Duration = 0.0
    """How long "bursty" stays at `rate`, on average."""
    burst: Duration = 0.0
    """How long "bursty" stays at `to`, on average."""
    jobs: int = Field(default=0, ge=0)
    """How many: of "backlog" and "closed" in all, of "spike" at each."""
    every: Duration = 60.0
    """How far apart the spikes are."""
    within: Duration = 1.0
    """How long a spike lasts."""
    day: Duration = 0.0
    """How long a day of "daily" takes."""
    curve: tuple[float, ...] = ()
    """Relative rates over a day, at equal distances; a working day, hour by hour, where it is left out."""
    in_flight: int = Field(default=0, ge=0)
    """How many jobs of "closed" may be sent and not done."""

    @model_validator(mode="after")
    def _what_it_needs(self) -> Arrivals:
        must, may = NEEDS[self.process]
        given = self.model_fields_set - {"process"}
        for name in must:
            if name not in given or not getattr(self, name) > 0:
                raise ValueError(
                    f"arrivals of process {self.process!r} need {name!r}, more than 0 (all they need: {', '.join(must)})"
                )
        for name in sorted(given - {*must, *may}):
            raise ValueError(
                f"{name!r} does not go with arrivals of process {self.process!r}, which take: {', '.join(must + may)}"
            )
        if self.curve and (min(self.curve) < 0 or max(self.curve) <= 0):
            raise ValueError("the curve must have no negative rate, and one above 0")
        return self
