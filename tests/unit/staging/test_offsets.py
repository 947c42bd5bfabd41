"""The true offset lies within the bound, whatever the delays on the way; clocks that cannot be told are refused."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobharness.errors import ClocksUnknown
from jobharness.staging.offsets import Exchange, Offset, offset_of

MS = 1_000_000
delays = st.integers(0, 20 * MS)


@st.composite
def drifting(draw):
    """`(drift_ppm, offset(node_ns), exchanges)` of a node whose clock parts from the master's by up to `drift_ppm`, now slower and now
    faster; the ways there and back differ as they like."""
    drift_ppm = draw(st.integers(0, 200))
    start = draw(st.integers(-(10**15), 10**15))
    spans = draw(st.lists(st.tuples(st.integers(0, 10**11), st.integers(-drift_ppm, drift_ppm)), max_size=4))

    def offset(node_ns):
        total, at = start * 10**6, 0
        for until, rate in [*sorted(spans), (10**12, 0)]:
            total += rate * max(0, min(node_ns, until) - at)
            at = max(at, min(node_ns, until))
        # A float would be off by a part of a nanosecond, and its exchanges would contradict each other.
        return Fraction(total, 10**6)

    def exchange(sent_ns):
        there, busy, back = draw(delays), draw(delays), draw(delays)
        received_ns = sent_ns + there + busy + back
        # Whole ns of the master's clock: what came is told no earlier, what is sent no later, than it was.
        came, sent = sent_ns + there, sent_ns + there + busy
        return Exchange(sent_ns, int(-(-(came + offset(came)) // 1)), int((sent + offset(sent)) // 1), received_ns)

    moments = draw(st.lists(st.integers(0, 10**11), min_size=1, max_size=12))
    return drift_ppm, offset, [exchange(moment) for moment in moments]


@given(drifting(), st.integers(0, 10**11), st.integers(0, 10**11), st.lists(st.floats(0, 1), max_size=5))
def test_true_offset_is_within_the_bound_throughout_the_span(node, one, other, places):
    drift_ppm, offset, exchanges = node
    from_ns, to_ns = sorted((one, other))
    found = offset_of("n", exchanges, from_ns, to_ns, drift_ppm=drift_ppm, most_apart_s=1e6)
    for place in [0.0, 1.0, *places]:
        at_ns = from_ns + round(place * (to_ns - from_ns))
        assert abs(offset(at_ns) - found.offset_ns) <= found.bound_ns + 1


def test_one_exchange_bounds_by_half_its_round_trip():
    assert offset_of("n", [Exchange(1000, 5100, 5100, 1300)], 1000, 1300, drift_ppm=0) == Offset(3950, 150)


def test_time_that_the_master_took_does_not_count():
    assert offset_of("n", [Exchange(1000, 5100, 9100, 5300)], 0, 10_000, drift_ppm=0) == Offset(3950, 150)


def test_exchanges_with_opposite_delays_leave_nearly_nothing_open():
    there, back = Exchange(0, 100 * MS, 100 * MS, 100 * MS), Exchange(0, 0, 0, 100 * MS)
    assert offset_of("n", [there, back], 0, 100 * MS, drift_ppm=0) == Offset(0, 0)


def test_clock_drifts_after_the_last_exchange():
    """100 millionths of 10 s are 1 ms."""
    found = offset_of("n", [Exchange(0, 0, 0, 0)], 0, 10_000 * MS, drift_ppm=100)
    assert found.bound_ns == pytest.approx(MS, abs=5)


def test_exchanges_throughout_the_run_bound_the_drift():
    """Half a second after each of two exchanges the clocks may have parted by 50 us, not by the 100 us of the whole second."""
    found = offset_of(
        "n", [Exchange(0, 0, 0, 0), Exchange(1000 * MS, 1000 * MS, 1000 * MS, 1000 * MS)], 0, 1000 * MS, drift_ppm=100
    )
    assert found.bound_ns == pytest.approx(50_000, abs=5)


def test_many_exchanges_are_thinned_to_the_quickest():
    slow = [Exchange(at * MS, at * MS + 9 * MS, at * MS + 9 * MS, at * MS + 9 * MS) for at in range(1000)]
    quick = Exchange(500 * MS, 500 * MS, 500 * MS, 500 * MS)
    assert offset_of("n", [*slow, quick], 0, 1000 * MS, drift_ppm=0).bound_ns == 0


@pytest.mark.parametrize(
    ("exchanges", "words"),
    [
        ([], "it exchanged no times with the master"),
        ([Exchange(0, 5, 109, 1)], "it exchanged no times with the master"),
        ([Exchange(0, 0, 0, 0), Exchange(10 * MS, 15 * MS, 15 * MS, 10 * MS)], "contradict each other by 5 ms"),
        ([Exchange(0, 0, 0, 5000 * MS)], "its clock is known to ± 2.5 s only, and 1 s is allowed"),
    ],
)
def test_clocks_that_cannot_be_told_are_refused(exchanges, words):
    with pytest.raises(ClocksUnknown, match=words) as caught:
        offset_of("locust-3", exchanges, 0, 0)
    assert caught.value.node == "locust-3" and str(caught.value).startswith("node locust-3: ")
