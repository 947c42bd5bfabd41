"""Series as the paths of inline SVG.

Why not Plotly: its script alone is 4.8 MB in every page, it draws nothing without that script, it does not follow the reader's
dark mode, and its marks cannot be reached by keyboard. Here a chart is a few paths in a box of 1000 by 100 that stretches with
the page (`preserveAspectRatio="none"`, strokes that do not scale), the words around it are HTML, and the colours are the style
sheet's. A page is some 100 KB, is readable without a script, prints, and needs no network.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

__all__ = [
    "HEIGHT",
    "WIDTH",
    "Line",
    "Panel",
    "Tick",
    "area_path",
    "band_path",
    "log_scale",
    "round_ticks",
    "scale",
    "step_path",
    "time_ticks",
]

WIDTH, HEIGHT = 1000.0, 100.0

Scale = Callable[[float], float]


@dataclass(frozen=True)
class Tick:
    """A mark on an axis: its words, and where it stands in percent from the left, or from the top."""

    label: str
    place: float
    minor: bool = False


@dataclass(frozen=True)
class Line:
    """One line or area of a panel. `style`: its class in the style sheet; `label`: its name in the legend, "" for none."""

    style: str
    label: str
    path: str

    @property
    def filled(self) -> bool:
        """Whether it is an area."""
        return self.path.endswith("Z")


@dataclass(frozen=True)
class Panel:
    """One chart of the timeline: what it shows, its lines, and the ticks of its own axis."""

    name: str
    title: str
    unit: str
    lines: tuple[Line, ...]
    ticks: tuple[Tick, ...]


def round_ticks(top: float, most: int = 3) -> list[float]:
    """Round values from 0 to at least `top`, `most` + 1 at most; [0, 1] where there is nothing to show."""
    if top <= 0:
        return [0.0, 1.0]
    raw = top / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(digit * power for digit in (1, 2, 5, 10) if digit * power >= raw * 0.999999)
    return [step * number for number in range(math.ceil(top / step - 1e-9) + 1)]


def time_ticks(length_s: float, most: int = 10) -> list[tuple[float, float]]:
    """Round moments within a length: (seconds, percent from the left)."""
    ticks = round_ticks(length_s, most)
    return [(tick, tick / length_s * 100) for tick in ticks if tick <= length_s]


def scale(top: float) -> Scale:
    """From a value between 0 and `top` to a height in the box."""
    return lambda value: HEIGHT - value / top * HEIGHT


def log_scale(bottom: float, top: float) -> Scale:
    """The same on a logarithmic axis; what is below `bottom` lies on it."""
    low, span = math.log10(bottom), math.log10(top) - math.log10(bottom)
    return lambda value: HEIGHT - (math.log10(max(value, bottom)) - low) / span * HEIGHT


def _runs(values: Sequence[float | None]) -> list[tuple[int, list[float]]]:
    """The unbroken stretches: first index and values."""
    runs: list[tuple[int, list[float]]] = []
    open_run = False
    for index, value in enumerate(values):
        if value is None:
            open_run = False
        elif open_run:
            runs[-1][1].append(value)
        else:
            runs.append((index, [value]))
            open_run = True
    return runs


def _steps(values: Sequence[float], first: int, width: float, height: Scale) -> str:
    """`H` and `V` commands over a stretch that begins at bin `first`."""
    words = []
    for index, value in enumerate(values, start=first):
        words.append(f"V{_short(height(value))}H{_short(min(WIDTH, (index + 1) * width))}")
    return "".join(words)


def step_path(values: Sequence[float | None], bins: float, height: Scale) -> str:
    """A line that is level within each bin, and has a gap where the value is None. `bins`: how many bins fill the width."""
    width = WIDTH / bins
    return "".join(
        f"M{_short(first * width)} {_short(height(run[0]))}{_steps(run, first, width, height)}" for first, run in _runs(values)
    )


def area_path(values: Sequence[float | None], bins: float, height: Scale) -> str:
    """The same, filled down to the bottom."""
    width = WIDTH / bins
    return "".join(
        f"M{_short(first * width)} {HEIGHT:g}{_steps(run, first, width, height)}V{HEIGHT:g}Z" for first, run in _runs(values)
    )


def band_path(low: Sequence[float | None], high: Sequence[float | None], bins: float, height: Scale) -> str:
    """The area between two lines, where both have a value."""
    width = WIDTH / bins
    boxes = []
    for index, (below, above) in enumerate(zip(low, high, strict=True)):
        if below is not None and above is not None:
            left, right = _short(index * width), _short(min(WIDTH, (index + 1) * width))
            boxes.append(f"M{left} {_short(height(below))}V{_short(height(above))}H{right}V{_short(height(below))}Z")
    return "".join(boxes)


def _short(number: float) -> str:
    return f"{number:.1f}".rstrip("0").rstrip(".")
