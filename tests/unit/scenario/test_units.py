"""Durations, rates and shares as people write them."""

import pytest

from jobharness.scenario.units import parse_duration, parse_quantity, parse_rate, parse_share


@pytest.mark.parametrize(("text", "seconds"), [("500ms", 0.5), ("10s", 10.0), ("1m30s", 90.0), ("2 min", 120.0), ("0s", 0.0)])
def test_duration_is_read_with_its_unit(text, seconds):
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("wrong", ["10", "s", "", "10 parsecs", "-1s", "1s2", 10, 1.5, None, True])
def test_duration_without_a_known_unit_is_refused_with_its_value(wrong):
    with pytest.raises(ValueError, match="is not a duration") as refusal:
        parse_duration(wrong)
    assert repr(wrong) in str(refusal.value)


@pytest.mark.parametrize(("text", "per_second"), [("50/s", 50.0), ("30/min", 0.5), ("3600/h", 1.0)])
def test_rate_is_read_per_second(text, per_second):
    assert parse_rate(text) == pytest.approx(per_second)


def test_limit_may_be_a_number_a_duration_or_a_rate():
    assert [parse_quantity(value) for value in (3, "500ms", "50/s")] == [3.0, 0.5, 50.0]


def test_share_is_a_percentage():
    assert parse_share("10%") == pytest.approx(0.1)
    with pytest.raises(ValueError, match="is not a share"):
        parse_share("0.1")
