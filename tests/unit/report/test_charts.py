"""The geometry of the charts."""

import pytest

from jobharness.report.charts import area_path, band_path, log_scale, round_ticks, scale, step_path, time_ticks


@pytest.mark.parametrize(
    ("top", "ticks"), [(0, [0, 1]), (7, [0, 5, 10]), (100, [0, 50, 100]), (0.3, [0, 0.1, 0.2, 0.3]), (31, [0, 20, 40])]
)
def test_ticks_are_round_and_reach_the_top(top: float, ticks: list[float]) -> None:
    assert round_ticks(top) == pytest.approx(ticks)


def test_ticks_of_time_stay_within_the_length() -> None:
    assert time_ticks(8.2, most=4) == [(0, 0), (5, pytest.approx(60.98, abs=0.01))]


def test_a_step_is_level_within_its_bin_and_broken_where_there_is_no_value() -> None:
    assert step_path([0, 10, None, 5], 4, scale(10)) == "M0 100V100H250V0H500M750 50V50H1000"


def test_an_area_reaches_the_bottom() -> None:
    assert area_path([10], 1, scale(10)) == "M0 100V0H1000V100Z"


def test_a_band_is_drawn_only_where_both_lines_have_a_value() -> None:
    assert band_path([0, None], [10, 10], 2, scale(10)) == "M0 100V0H500V100Z"


def test_a_logarithmic_axis_gives_each_decade_the_same_height_and_holds_what_is_below() -> None:
    height = log_scale(0.01, 1)
    assert [height(value) for value in (0, 0.01, 0.1, 1)] == pytest.approx([100, 100, 50, 0])
