"""The timeline as a figure: what it draws of which bins, strikes and workers."""

import polars as pl
import pytest

from jobharness.report.distribution import Distribution
from jobharness.report.distribution_plot import distribution_charts
from jobharness.report.strikes import Strike
from jobharness.report.timeline_plot import timeline_plot
from jobharness.report.timeline_table import bin_rows, lane_rows
from jobharness.report.window import Window
from jobharness.report.workers import Lane, Span

S = 10**9
WINDOW = Window(origin_ns=0, end_ns=4 * S, over_ns=4 * S, bin_ns=S)
LANES = [
    Lane("<b>1</b>", (Span(-S, S, ready=True, exit_code=-9), Span(2 * S, 3 * S, ready=False), Span(3 * S, 9 * S, ready=True)))
]
SERIES = pl.DataFrame(
    {
        "since_s": [0.0, 1.0, 2.0, 3.0],
        "arrivals": [5.0, 0.0, 2.0, 0.0],
        "completions": [5.0, 0.0, 0.0, 1500.0],
        "open": [1, 1, 2, 0],
        "waiting": [0, 1, 1, 0],
        "p50": [0.02, None, 0.5, None],
        "p95": [0.02, None, 0.5, None],
        "p99": [0.02, None, 3.0, None],
    }
)


def strike(number: int, begin_s: float, end_s: float | None) -> Strike:
    end_ns = None if end_s is None else int(end_s * S)
    return Strike(number, "kill#1", int(begin_s * S), end_ns, (), {}, ())


def trace(figure, name):
    (found,) = [one for one in figure.data if one.name == name]
    return found


def test_a_line_is_level_within_each_bin_and_has_a_gap_where_there_is_no_value() -> None:
    line = trace(timeline_plot(SERIES, [1] * 4, LANES, [], WINDOW), "p99")
    assert line.x == (0, 1, 1, 2, 2, 3, 3, 4)
    assert line.y == (0.02, 0.02, None, None, 3.0, 3.0, None, None)


def test_the_axis_of_latency_is_logarithmic_and_ends_on_powers_of_ten() -> None:
    axis = timeline_plot(SERIES, [1] * 4, LANES, [], WINDOW).layout.yaxis3
    assert (axis.type, axis.range, axis.ticktext) == ("log", (-2, 1), ("10 ms", "100 ms", "1 s", "10 s"))


def test_without_a_latency_there_is_no_panel_of_it() -> None:
    none = SERIES.with_columns(p50=pl.lit(None, pl.Float64), p95=pl.lit(None, pl.Float64), p99=pl.lit(None, pl.Float64))
    figure = timeline_plot(none, [1] * 4, LANES, [], WINDOW)
    assert {one.yaxis for one in figure.data} == {"y", "y2", "y3"}
    assert figure.layout.xaxis.anchor == "y3"


def test_of_whole_things_no_half_is_on_the_axis() -> None:
    figure = timeline_plot(SERIES, [1] * 4, [], [], WINDOW)
    assert (figure.layout.yaxis2.dtick, figure.layout.yaxis4.dtick) == (1, 1)
    assert figure.layout.yaxis.dtick is None


def test_each_strike_has_its_own_two_shapes_and_the_shade_over_all_is_no_darker_where_they_overlap() -> None:
    shapes = timeline_plot(SERIES, [1] * 4, LANES, [strike(1, 0.5, 2), strike(2, 1, None)], WINDOW).layout.shapes
    assert [(one.type, one.x0, one.x1, one.opacity) for one in shapes[:4]] == [
        ("rect", 0.5, 2, 0), ("line", 0.5, 0.5, None), ("rect", 1, 4, 0), ("line", 1, 1, None)
    ]  # fmt: skip
    assert [(one.x0, one.x1) for one in shapes[4:] if one.fillcolor == "var(--fault)"] == [(0.5, 4)]


@pytest.mark.parametrize("spans", [[(0, 1), (2, 3)], [(2, 3), (0, 1)]])
def test_strikes_apart_are_shaded_apart(spans) -> None:
    shapes = timeline_plot(SERIES, [1] * 4, LANES, [strike(1, *span) for span in spans], WINDOW).layout.shapes
    assert [(one.x0, one.x1) for one in shapes[4:] if one.fillcolor == "var(--fault)"] == [(0, 1), (2, 3)]


def test_a_lane_is_drawn_within_the_window_and_its_name_is_no_markup() -> None:
    figure = timeline_plot(SERIES, [1] * 4, LANES, [], WINDOW)
    ready, starting, exited = (trace(figure, name) for name in ("ready", "starting", "exited"))
    assert list(zip(ready.base, ready.x, strict=True)) == [(0, 1), (3, 1)]
    assert (starting.base, starting.x, starting.marker.pattern.shape) == ((2,), (1,), "/")
    assert (exited.x, exited.text) == ((1,), ("&lt;b&gt;1&lt;/b&gt; exited with code -9",))


def test_the_tables_say_the_same_in_words() -> None:
    rows = bin_rows(SERIES, [1, 0, 0, 1])
    assert rows[2] == ["2 s", "2/s", "0/s", "2", "1", "500 ms", "500 ms", "3 s", "0"]
    assert rows[3][2] == "1.5e+03/s"
    assert lane_rows(LANES, WINDOW) == [
        ["<b>1</b>", "0 s", "1 s", "ready", "-9"],
        ["<b>1</b>", "2 s", "3 s", "starting", ""],
        ["<b>1</b>", "3 s", "4 s", "ready", ""],
    ]


def test_calls_to_the_api_are_a_panel_and_columns_where_there_are_any() -> None:
    calls = pl.DataFrame({"well": [4.0, 0, 0, 0], "throttled": [0.0, 2, 0, 0], "failed": [0.0, 0, 0, 1]})
    figure = timeline_plot(SERIES, [1] * 4, LANES, [], WINDOW, calls)
    assert trace(figure, "429").y == (0, 0, 2, 2, 0, 0, 0, 0)
    assert figure.layout.xaxis.anchor == "y5"
    assert [row[-3:] for row in bin_rows(SERIES, [1] * 4, calls)][1] == ["0/s", "2/s", "0/s"]


def test_distributions_share_one_axis_and_each_percentile_has_a_dash_of_its_own() -> None:
    percentiles = {"p50": 0.0, "p95": 0.004, "p99": 0.004, "p99.9": 0.9}
    charts = distribution_charts([Distribution("wait", -36, (3, 1), percentiles), Distribution("latency", -6, (2,), percentiles)])
    assert [chart["figure"].layout.xaxis.range for chart in charts] == [(-3, 0), (-3, 0)]
    assert [chart["total"] for chart in charts] == [4, 2]
    dashes = [shape.line.dash for shape in charts[0]["figure"].layout.shapes]
    assert len(set(dashes)) == len(dashes) == 4


def test_what_nobody_observed_has_no_chart() -> None:
    assert distribution_charts([Distribution("wait", 0, (), {})]) == []
