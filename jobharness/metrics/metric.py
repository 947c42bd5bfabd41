"""One figure: its value, its unit, how many observations are behind it, and which way is better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Better", "Metric"]

Better = Literal["lower", "higher", "neither"]


@dataclass(frozen=True)
class Metric:
    """`value` is None where nothing was observed. `unit`: "s", "1/s", "1" (a plain number or share) or "jobs"."""

    name: str
    value: float | None
    unit: str
    count: int
    better: Better = "lower"

    def __str__(self) -> str:
        if self.value is None:
            return "-"
        if self.unit == "s":
            return f"{self.value * 1000:.1f} ms" if self.value < 1 else f"{self.value:.2f} s"
        if self.unit == "jobs":
            return f"{self.value:.0f}"
        return f"{self.value:.3g}" + (f" {self.unit}" if self.unit != "1" else "")
