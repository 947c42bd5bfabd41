"""One figure: its value, its unit, how many observations are behind it, and which way is better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, Literal

__all__ = ["Better", "Metric"]

Better = Literal["lower", "higher", "neither"]


@dataclass(frozen=True)
class Metric:
    """`value` is None where nothing was observed, `inf` for a time that never came to its end. `unit`: "s", "1/s", "1"
    (a plain number or share), "By" (bytes) or "jobs"."""

    name: str
    value: float | None
    unit: str
    count: int
    better: Better = "lower"

    @classmethod
    def of(cls, name: str, plain: Mapping[str, Any]) -> Metric:
        """The metric that `plain` was made from, as metrics.json has it."""
        return cls(name, inf if plain.get("never") else plain["value"], plain["unit"], plain["count"], plain["better"])

    def __str__(self) -> str:
        if self.value is None:
            return "-"
        if self.value == inf:
            return "never"
        if self.unit == "s":
            return _duration(self.value)
        if self.unit == "By":
            return f"{self.value / 2**20:.1f} MiB"
        if self.unit == "jobs":
            return f"{self.value:.0f}"
        number = f"{self.value:.0f}" if abs(self.value) >= 1000 else f"{self.value:.3g}"
        return f"{number}/s" if self.unit == "1/s" else number if self.unit == "1" else f"{number} {self.unit}"

    @property
    def plain(self) -> dict[str, Any]:
        """As JSON has it, where no number is infinite: what never came has no value and says `never`."""
        never = self.value == inf
        about = {"value": None if never else self.value, "unit": self.unit, "count": self.count, "better": self.better}
        return {**about, "never": True} if never else about


def _duration(seconds: float) -> str:
    if abs(seconds) >= 1:
        return f"{seconds:.2f} s"
    # A tenth of a millisecond is what a run of real processes can tell apart; only a limit is ever finer.
    return f"{seconds * 1e3:.1f} ms" if abs(seconds) >= 1e-4 or seconds == 0 else f"{seconds * 1e6:.0f} us"
