"""The distributions of a run as charts over one logarithmic axis, so that they can be compared by eye."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from jobharness.report.distribution import BINS_PER_DECADE, MEASURES, Distribution, decade_bin
from jobharness.report.drawing import axis, layout
from jobharness.report.words import count, duration

__all__ = ["distribution_charts"]

HEIGHT_PX = 170
MARGINS_PX = {"l": 22, "r": 22, "t": 4, "b": 26}
DASHES = {"p50": "solid", "p95": "dash", "p99": "dot", "p99.9": "dashdot"}
MOST_TICKS = 5


def distribution_charts(found: Sequence[Distribution]) -> list[dict[str, Any]]:
    """A chart of each that has something to show: `id`, `figure` of Plotly's, and in words `title`, `meaning`, `total` and
    `percentiles`."""
    seen = [one for one in found if one.counts]
    if not seen:
        return []
    first = math.floor(min(one.first for one in seen) / BINS_PER_DECADE)
    last = math.ceil(max(one.first + len(one.counts) for one in seen) / BINS_PER_DECADE)
    return [
        {
            "id": f"distribution-{one.name}",
            "title": MEASURES[one.name][0],
            "meaning": MEASURES[one.name][1],
            "total": one.total,
            "percentiles": {label: duration(value) for label, value in one.percentiles.items()},
            "figure": _figure(one, first, last),
        }
        for one in seen
    ]


def _figure(one: Distribution, first: int, last: int) -> Any:
    """The counts over powers of ten of a second, from 10**first to 10**last."""
    import plotly.graph_objects as go

    edges = [(one.first + place) / BINS_PER_DECADE for place in range(len(one.counts) + 1)]
    bars = go.Bar(
        x=[edge + 0.5 / BINS_PER_DECADE for edge in edges[:-1]],
        y=one.counts,
        marker={"color": "var(--blue-soft)", "line": {"width": 0}},
        text=[
            f"{duration(10**low)} to {duration(10**high)}: {count(jobs, 'job')}"
            for (low, high), jobs in zip(pairwise(edges), one.counts, strict=True)
        ],
        textposition="none",
        hoverinfo="text",
    )
    step = math.ceil((last - first + 1) / MOST_TICKS)
    powers = list(range(first, last + 1, step))
    ticks = {"tickvals": powers, "ticktext": [duration(10.0**power) for power in powers], "tickangle": 0}
    figure = go.Figure(bars, layout(HEIGHT_PX, MARGINS_PX, bargap=0))
    figure.update_layout(
        xaxis=axis(range=[first, last], ticks="outside", tickfont={"size": 11, "color": "var(--soft)"}, **ticks),
        yaxis=axis(range=[0, max(one.counts) * 1.04], visible=False),
    )
    for row, (label, value) in enumerate(one.percentiles.items()):
        place = decade_bin(value) / BINS_PER_DECADE
        _mark(figure, label, place, row, leftwards=place > (first + last * 3) / 4)
    return figure


def _mark(figure: Any, label: str, place: float, row: int, leftwards: bool) -> None:
    """A percentile: a line with its name, each in a row of its own, so that no two names lie on each other."""
    line = {"width": 1.5, "color": "var(--ink)", "dash": DASHES[label]}
    figure.add_shape(type="line", x0=place, x1=place, y0=0, y1=1, yref="paper", line=line)
    figure.add_annotation(
        text=label, x=place, y=1 - row * 0.14, yref="paper", yanchor="top", xanchor="right" if leftwards else "left",
        showarrow=False, borderpad=1, xshift=-3 if leftwards else 3, font={"size": 11}, bgcolor="var(--paper)",
    )  # fmt: skip
