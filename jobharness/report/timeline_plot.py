"""The timeline of a run as one chart: panels one above the other over one axis of time, each fault drawn through them all."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise
from typing import Any

import polars as pl

from jobharness.clock import NS_PER_S
from jobharness.report.drawing import axis, layout
from jobharness.report.strikes import Strike
from jobharness.report.window import Window
from jobharness.report.words import duration
from jobharness.report.workers import Lane, Span

__all__ = ["MARGINS_PX", "timeline_plot"]

MARGINS_PX = {"l": 52, "r": 10, "t": 0, "b": 30}
"""The page lays the flags of the faults over the chart, by the left and the right one of these."""
HEAD_PX = 48
"""Over each panel: its title, and below it what its lines are."""
LANE_PX = 30
FAINT = 0.08
THROUGH = {"yref": "paper", "y0": 0, "y1": 1, "layer": "below"}

Trace = dict[str, Any]
Bins = Sequence[float | None]


@dataclass(frozen=True)
class Panel:
    """One chart of the timeline. `traces`: as Plotly takes them, each with its `type`; `axis`: what its own axis has; `words`:
    what is written into it, as annotations."""

    title: str
    unit: str
    height_px: int
    traces: list[Trace]
    axis: dict[str, Any]
    words: list[dict[str, Any]] = field(default_factory=list)


def timeline_plot(
    series: pl.DataFrame,
    workers: Sequence[int],
    lanes: Sequence[Lane],
    strikes: Iterable[Strike],
    window: Window,
    calls: pl.DataFrame | None = None,
) -> Any:
    """The figure, of Plotly's. Shapes 2i and 2i + 1 of it are strike i: how long it lasted, and when it began.

    Args: `workers`: how many took jobs, per bin; drawn where `lanes` is empty, and else a lane each. `calls`: as
        `calls.answers` has them.
    """
    import plotly.graph_objects as go

    found = [_flow(series, window), _open(series, window), _latency(series, window)]
    panels = [panel for panel in found if panel.traces] + ([_calls(calls, window)] if calls is not None else [])
    panels.append(_lanes(lanes, window) if lanes else _alive(workers, window))
    inner_px = sum(HEAD_PX + panel.height_px for panel in panels)
    figure = go.Figure(layout=layout(inner_px + MARGINS_PX["b"], MARGINS_PX, showlegend=True))
    spans = [_lasted(strike, window) for strike in strikes]
    figure.update_layout(shapes=[shape for span in spans for shape in _strike(*span)])
    figure.update_layout(shapes=[*figure.layout.shapes, *(_shade(*span, opacity=FAINT) for span in _together(spans))])
    under_px = 0
    for number, panel in enumerate(panels, start=1):
        top_px = under_px + HEAD_PX
        _bare(figure, 1 - under_px / inner_px, 1 - top_px / inner_px)
        under_px = top_px + panel.height_px
        _add(figure, panel, "" if number == 1 else str(number), [1 - under_px / inner_px, 1 - top_px / inner_px])
    figure.update_xaxes(
        axis(range=[0, window.length_s], showgrid=False, ticks="outside", ticksuffix=" s", anchor=f"y{len(panels)}")
    )
    return figure


def _bare(figure: Any, top: float, bottom: float) -> None:
    """Keep the faults out of the words over a panel."""
    across = {"xref": "paper", "x0": 0, "x1": 1, "yref": "paper", "y0": bottom, "y1": top}
    # A pixel more on either side, for the strokes that lie on the edge.
    figure.add_shape(
        type="rect", fillcolor="var(--paper)", line={"width": 2, "color": "var(--paper)"}, layer="below", **across
    )  # fmt: skip


def _add(figure: Any, panel: Panel, number: str, domain: list[float]) -> None:
    """Put a panel into its stretch of the figure, with an axis and a legend of its own."""
    figure.add_traces([{**trace, "xaxis": "x", "yaxis": f"y{number}", "legend": f"legend{number}"} for trace in panel.traces])
    legend = {"orientation": "h", "x": 0, "y": domain[1], "xanchor": "left", "yanchor": "bottom", "font": {"size": 12}}
    figure.update_layout(
        {
            f"yaxis{number}": axis(domain=domain, anchor="x", tickfont={"size": 11, "color": "var(--soft)"}, **panel.axis),
            f"legend{number}": {**legend, "bgcolor": "#0000", "itemclick": False, "itemdoubleclick": False},
        }
    )
    corner = {"x": 0, "y": domain[1], "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "bottom"}
    title = f'<b>{panel.title}</b>  <span style="font-size:12px">{panel.unit}</span>'
    figure.add_annotation(text=title, yshift=HEAD_PX / 2, showarrow=False, borderpad=0, **corner)
    for words in panel.words:
        figure.add_annotation(yref=f"y{number}", **words)


def _lasted(strike: Strike, window: Window) -> tuple[float, float]:
    """From when until when, s; to the end of the window where it was never healed."""
    end_ns = window.end_ns if strike.end_ns is None else strike.end_ns
    return window.share(strike.time_ns) * window.length_s, window.share(end_ns) * window.length_s


def _strike(begin_s: float, end_s: float) -> tuple[dict[str, Any], dict[str, Any]]:
    """The time that one strike lasted, seen when the page marks it, and the moment it began."""
    line = {"type": "line", "x0": begin_s, "x1": begin_s, "line": {"color": "var(--fault)", "width": 1}, **THROUGH}
    return _shade(begin_s, end_s, opacity=0), line


def _shade(begin_s: float, end_s: float, opacity: float) -> dict[str, Any]:
    fill = {"fillcolor": "var(--fault)", "opacity": opacity, "line": {"width": 0}}
    return {"type": "rect", "x0": begin_s, "x1": end_s, **fill, **THROUGH}


def _together(spans: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """The stretches that some spans cover, so that where they overlap the shade is no darker."""
    covered: list[tuple[float, float]] = []
    for begin, end in sorted(spans):
        if covered and begin <= covered[-1][1]:
            covered[-1] = (covered[-1][0], max(covered[-1][1], end))
        else:
            covered.append((begin, end))
    return covered


def _steps(name: str, values: Bins, window: Window, line: dict[str, Any], **more: Any) -> Trace:
    """A line that is level within each bin, also where the bins beside it have no value."""
    edges = [place * window.bin_ns / NS_PER_S for place in range(window.bins + 1)]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": [round(edge, 6) for both in pairwise(edges) for edge in both],
        "y": [value for value in values for _ in range(2)],
        "line": line,
        "hoverinfo": "skip",
        **more,
    }


def _area(name: str, values: Bins, window: Window, colour: str, pattern: str = "") -> Trace:
    fill = {"fill": "tozeroy", "fillcolor": colour}
    return _steps(name, values, window, {"width": 1, "color": "var(--blue)"}, **fill, fillpattern={"shape": pattern})


def _flow(series: pl.DataFrame, window: Window) -> Panel:
    lines = [
        _steps("arrivals", series["arrivals"].to_list(), window, {"color": "var(--soft)", "width": 1.5, "dash": "4px,3px"}),
        _steps("completions", series["completions"].to_list(), window, {"color": "var(--blue)", "width": 2}),
    ]
    return Panel("Arrivals and completions", "jobs per second", 150, lines, _from_zero())


def _open(series: pl.DataFrame, window: Window) -> Panel:
    areas = [
        _area("not completed", series["open"].to_list(), window, "var(--blue-faint)"),
        _area("of them not begun", series["waiting"].to_list(), window, "var(--blue)", pattern="/"),
    ]
    return Panel("Open jobs", "the most at once", 110, areas, _from_zero(max(series["open"])))


def _latency(series: pl.DataFrame, window: Window) -> Panel:
    dashes: dict[str, dict[str, Any]] = {
        "p50": {"width": 2},
        "p95": {"width": 1.5, "dash": "6px,3px"},
        "p99": {"width": 1.5, "dash": "1.5px,2.5px"},
    }
    # A logarithmic axis has no 0.
    seen = {name: [value or None for value in series[name].to_list()] for name in dashes}
    lines = [_steps(name, seen[name], window, {"color": "var(--blue)", **dashes[name]}) for name in dashes]
    known = [value for values in seen.values() for value in values if value]
    if not known:
        return Panel("", "", 0, [], {})
    low, high = math.floor(math.log10(min(known))), math.ceil(math.log10(max(known)) + 1e-9)
    decades = range(low, high + 1)
    ticks = {"tickvals": [10.0**power for power in decades], "ticktext": [duration(10.0**power) for power in decades]}
    return Panel("Latency", "of the jobs that arrived then", 120, lines, {"type": "log", "range": [low, high], **ticks})


def _calls(calls: pl.DataFrame, window: Window) -> Panel:
    looks: dict[str, tuple[str, dict[str, Any]]] = {
        "well": ("answered well", {"color": "var(--blue)", "width": 2}),
        "throttled": ("429", {"color": "var(--fault)", "width": 1.5, "dash": "6px,3px"}),
        "failed": ("failed", {"color": "var(--ink)", "width": 1.5, "dash": "1.5px,2.5px"}),
    }
    lines = [_steps(words, calls[name].to_list(), window, line) for name, (words, line) in looks.items()]
    return Panel("Calls to the API", "answers per second", 110, lines, _from_zero())


def _alive(workers: Sequence[int], window: Window) -> Panel:
    areas = [_area("ready", workers, window, "var(--blue-soft)")]
    return Panel("Workers", "ready, the fewest at once", 90, areas, _from_zero(max(workers)))


def _lanes(lanes: Sequence[Lane], window: Window) -> Panel:
    spans = [(row, span) for row, lane in enumerate(lanes) for span in lane.spans if span.end_ns > window.origin_ns]
    exits = [(row, span) for row, span in spans if span.exit_code is not None and span.end_ns <= window.end_ns]
    traces = [
        _bars("ready", [(row, span) for row, span in spans if span.ready], window, ""),
        _bars("starting", [(row, span) for row, span in spans if not span.ready], window, "/"),
        {
            "type": "scatter",
            "mode": "markers",
            "name": "exited",
            "x": [window.since_s(span.end_ns) for _, span in exits],
            "y": [row for row, _ in exits],
            "marker": {"symbol": "x", "size": 9, "color": "var(--fault)", "line": {"width": 1, "color": "var(--paper)"}},
            "text": [f"{escape(lanes[row].name)} exited with code {span.exit_code}" for row, span in exits],
            "hoverinfo": "text",
        },
    ]
    beside = {"xref": "paper", "x": 0, "xanchor": "left", "yanchor": "bottom", "yshift": 4, "showarrow": False, "borderpad": 0}
    words = [
        {"text": escape(lane.name), "y": row, "font": {"size": 11, "color": "var(--soft)"}, **beside}
        for row, lane in enumerate(lanes)
    ]
    scale = {
        "range": [len(lanes) - 0.6, -0.8],
        "showticklabels": False,
        "gridcolor": "var(--line)",
        "griddash": "dot",
        "dtick": 1,
    }
    return Panel("Workers", "a line each", LANE_PX * len(lanes) + 4, [one for one in traces if one["x"]], scale, words)


def _bars(name: str, spans: Sequence[tuple[int, Span]], window: Window, pattern: str) -> Trace:
    edges = [(window.share(span.start_ns) * window.length_s, window.share(span.end_ns) * window.length_s) for _, span in spans]
    return {
        "type": "bar",
        "orientation": "h",
        "name": name,
        "base": [left for left, _ in edges],
        "x": [right - left for left, right in edges],
        "y": [row for row, _ in spans],
        "width": 0.3,
        "offset": -0.15,
        "marker": {"color": "var(--blue)", "line": {"width": 0}, "pattern": {"shape": pattern, "size": 6}},
        "hoverinfo": "skip",
    }


def _from_zero(most: float = math.inf) -> dict[str, Any]:
    """An axis from 0; `most`: of whole things, of which there are no halves."""
    return {"rangemode": "tozero", "nticks": 4, "tickformat": ",~r", **({"dtick": 1} if most <= 4 else {})}
