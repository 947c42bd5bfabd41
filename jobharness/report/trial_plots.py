"""The charts of a comparison: the difference of each metric, and every run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from jobharness.metrics.judgement import Judgement
from jobharness.report.drawing import axis, layout
from jobharness.report.trial import Trial

__all__ = ["dot_plot", "run_plots"]

SYMBOLS = {"worse": "x-thin", "better": "diamond", "no difference": "circle", "not enough evidence": "circle-open"}
COLOURS = {
    "worse": "var(--broken)",
    "better": "var(--holds)",
    "no difference": "var(--ink)",
    "not enough evidence": "var(--soft)",
}
ROW_PX = 44
MARGINS = {"l": 8, "r": 12, "t": 8, "b": 44}
MOST_RUN_PLOTS = 4


def dot_plot(judged: Iterable[Judgement]) -> Any:
    """The relative difference of each metric with its interval, the tolerance as a band behind it: a figure of Plotly's; None
    where there is none to show."""
    import plotly.graph_objects as go

    shown = [one for one in judged if one.relative and one.effect is not None and one.low is not None and one.high is not None]
    if not shown:
        return None
    figure = go.Figure(layout=_layout(len(shown)))
    rows = list(range(len(shown)))
    for place, one in zip(rows, shown, strict=True):
        figure.add_shape(
            type="rect", x0=-one.tolerance, x1=one.tolerance, y0=place - 0.4, y1=place + 0.4, line_width=0,
            fillcolor="var(--hair)", layer="below",
        )  # fmt: skip
    for word, symbol in SYMBOLS.items():
        mine = [(place, one) for place, one in zip(rows, shown, strict=True) if one.word == word]
        if mine:
            figure.add_trace(_dots(go, word, symbol, mine))
    figure.update_yaxes(tickvals=rows, ticktext=[_meaning(one) for one in shown], range=[len(rows) - 0.5, -0.5])
    figure.add_vline(x=0, line_width=1, line_color="var(--ink)")
    figure.update_xaxes(tickformat="+.0%", title="after to before; band: tolerance")
    return figure


def _dots(go: Any, word: str, symbol: str, mine: Sequence[tuple[int, Judgement]]) -> Any:
    effects = [one.effect or 0.0 for _, one in mine]
    return go.Scatter(
        name=word,
        x=effects,
        y=[place for place, _ in mine],
        mode="markers",
        marker={"symbol": symbol, "size": 11, "color": COLOURS[word], "line": {"width": 2, "color": COLOURS[word]}},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [(one.high or 0.0) - effect for (_, one), effect in zip(mine, effects, strict=True)],
            "arrayminus": [effect - (one.low or 0.0) for (_, one), effect in zip(mine, effects, strict=True)],
            "color": COLOURS[word],
            "thickness": 2,
            "width": 5,
        },
        text=[f"{one.name}: {one.word}, {one.difference}" for _, one in mine],
        hoverinfo="text",
    )


def _meaning(one: Judgement) -> str:
    """The metric, and which way is better."""
    arrow = {"lower": " (less is better)", "higher": " (more is better)"}.get(one.better, "")
    return f"{one.name}{arrow}"


def run_plots(trial: Trial) -> list[dict[str, Any]]:
    """The value of every run, side beside side, for the metrics that say most: `name` and `figure` of each."""
    order = ("worse", "better", "not enough evidence", "no difference")
    shown = sorted((one for one in trial.judgements if one.effect is not None), key=lambda one: order.index(one.word))
    return [{"name": one.name, "figure": _runs(trial, one)} for one in shown[:MOST_RUN_PLOTS]]


def _runs(trial: Trial, one: Judgement) -> Any:
    import plotly.graph_objects as go

    figure = go.Figure(layout=_layout(4, showlegend=True, legend={"orientation": "h", "y": 1.25}))
    sides = (("before", trial.before, "circle-open", "var(--soft)"), ("after", trial.after, "circle", "var(--blue)"))
    values = {word: [run.metric(one.name).value for run in side.runs] for word, side, _, _ in sides}
    if trial.paired:
        for number, (was, now) in enumerate(zip(values["before"], values["after"], strict=True), start=1):
            figure.add_shape(type="line", x0=number, x1=number, y0=was, y1=now, line={"width": 1, "color": "var(--line)"})
    for word, _, symbol, colour in sides:
        figure.add_trace(
            go.Scatter(
                name=word,
                x=list(range(1, len(values[word]) + 1)),
                y=values[word],
                mode="markers",
                marker={"symbol": symbol, "size": 9, "color": colour, "line": {"width": 2, "color": colour}},
                hovertemplate="%{y:.4~g} "
                + (one.unit if one.unit not in ("1", "jobs") else "")
                + f"<extra>{word} %{{x}}</extra>",
            )
        )
    figure.update_xaxes(title="pair" if trial.paired else "run", nticks=7, tickangle=0)
    figure.update_yaxes(rangemode="tozero", ticksuffix=" s" if one.unit == "s" else "", automargin=True)
    return figure


def _layout(rows: int, **more: Any) -> dict[str, Any]:
    axes = {"xaxis": axis(automargin=True), "yaxis": axis(automargin=True)}
    return layout(max(140, rows * ROW_PX + MARGINS["t"] + MARGINS["b"]), MARGINS, **axes, **more)
