"""Every arrival process keeps its promise about when jobs come."""

import itertools
from collections.abc import Callable
from random import Random

import numpy as np
import pytest

from jobharness.errors import ScenarioInvalid
from jobharness.scenario.arrivals import Arrivals
from jobharness.scenario.load import scenario_from
from jobharness.workload.arrivals import DAILY_CURVE, PROCESSES, arrivals_ns

SPECS = {
    "constant": {"rate": "100/s"},
    "poisson": {"rate": "100/s"},
    "bursty": {"rate": "20/s", "to": "400/s", "quiet": "2s", "burst": "500ms"},
    "ramp": {"rate": "10/s", "to": "190/s"},
    "step": {"rate": "50/s", "to": "150/s", "at": "10s"},
    "spike": {"rate": "10/s", "jobs": 100, "every": "5s", "within": "200ms"},
    "daily": {"rate": "100/s", "day": "10s"},
    "backlog": {"jobs": 500},
    "closed": {"jobs": 500, "in_flight": 10},
}


def _moments(process: str, duration_s: float = 20.0, seed: int = 1) -> np.ndarray:
    spec = Arrivals(process=process, **SPECS[process])
    return np.array(list(arrivals_ns(spec, duration_s, Random(seed)))) / 1e9


@pytest.mark.parametrize("process", PROCESSES)
def test_moments_ascend_within_the_duration_and_follow_from_the_seed(process):
    moments = _moments(process)
    assert (np.diff(moments) >= 0).all()
    assert moments.min() >= 0
    assert moments.max() < 20
    assert (moments == _moments(process)).all()


@pytest.mark.parametrize(
    ("process", "count"), [("poisson", 2000), ("ramp", 2000), ("step", 2000), ("daily", 2000), ("constant", 2000)]
)
def test_the_mean_rate_is_what_was_asked_for(process, count):
    assert abs(len(_moments(process)) - count) < 5 * count**0.5


def test_poisson_gaps_are_exponential():
    gaps = np.diff(_moments("poisson", 100))
    assert abs(gaps.mean() - 0.01) < 0.001
    assert abs(gaps.std() / gaps.mean() - 1) < 0.1


def _distance(sample: np.ndarray, cumulative: Callable[[np.ndarray], np.ndarray]) -> float:
    """Kolmogorov's distance between a sample and a distribution, times the root of its size: beyond 1.95 once in a thousand."""
    ordered, n = np.sort(sample), len(sample)
    expected = cumulative(ordered)
    return float(np.sqrt(n) * max(np.max(np.arange(1, n + 1) / n - expected), np.max(expected - np.arange(n) / n)))


def test_poisson_gaps_follow_the_exponential_distribution():
    gaps = np.diff(_moments("poisson", 200))
    assert _distance(gaps, lambda gap: 1 - np.exp(-gap * 100)) < 1.95
    assert _distance(gaps, lambda gap: 1 - np.exp(-gap * 95)) > 1.95  # The test can fail.


@pytest.mark.parametrize(
    ("process", "share"),
    [
        # Which share of the arrivals has come by a moment, of those of 20 s.
        ("poisson", lambda at: at / 20),
        ("ramp", lambda at: (10 * at + 4.5 * at**2) / 2000),
        ("step", lambda at: (50 * at + 100 * np.clip(at - 10, 0, None)) / 2000),
    ],
)
def test_arrivals_are_spread_over_time_as_the_rate_says(process, share):
    moments = np.concatenate([_moments(process, 20, seed) for seed in range(10)])
    assert _distance(moments, share) < 1.95
    assert _distance(moments, lambda at: (at / 20) ** 1.2) > 1.95


def test_a_day_follows_its_curve_hour_by_hour():
    moments = np.concatenate([_moments("daily", 20, seed) for seed in range(10)]) % 10
    counts = np.histogram(moments, bins=24, range=(0, 10))[0]
    expected = len(moments) * np.array(DAILY_CURVE) / sum(DAILY_CURVE)
    assert ((counts - expected) ** 2 / expected).sum() < 49.7  # Chi squared with 23 degrees of freedom: once in a thousand.


def test_a_bursty_process_has_both_its_rates_for_as_long_as_it_says():
    """Two states: 20/s for 2 s, 400/s for 500 ms on average, so 96/s in the mean and a fifth of the time loud."""
    counts = np.concatenate([np.bincount((_moments("bursty", 400, seed) * 10).astype(int), minlength=4000) for seed in range(5)])
    assert abs(counts.mean() * 10 - 96) < 8
    loud = counts > 15  # In a tenth of a second: 2 when it is quiet, 40 when it is loud.
    assert abs(loud.mean() - 0.2) < 0.05
    assert abs(counts[counts <= 5].mean() - 2) < 0.2


def test_a_spike_is_spread_over_its_window():
    top = np.concatenate([_moments("spike", 20, seed) for seed in range(10)])
    within = (top % 5)[top % 5 < 0.2]
    assert _distance(within, lambda at: at / 0.2) < 1.95


def test_constant_arrivals_are_exact():
    assert _moments("constant", 1).tolist() == [round(number * 0.01, 9) for number in range(100)]


def test_a_burst_is_bursty():
    counts = np.bincount(_moments("bursty", 100).astype(int))
    assert counts.var() / counts.mean() > 10  # Of a Poisson process it is 1.


def test_a_ramp_ends_faster_than_it_begins():
    moments = _moments("ramp")
    assert (moments < 5).sum() * 3 < (moments > 15).sum()


def test_a_spike_is_at_the_top_of_each_period():
    moments = _moments("spike")
    tops = [((moments >= top) & (moments < top + 0.2)).sum() for top in (0, 5, 10, 15)]
    assert min(tops) >= 100
    assert abs(len(moments) - 600) < 75


def test_a_day_has_a_night():
    moments = _moments("daily") % 10
    assert (moments < 2.5).sum() * 3 < ((moments > 3) & (moments < 5.5)).sum()


def test_a_backlog_is_there_at_once():
    assert set(_moments("backlog")) == {0.0}


def _scenario(**workload):
    return {
        "title": "t",
        "queue": {"adapter": "celery", "app": "a:app"},
        "broker": {"kind": "redis"},
        "workload": {"duration": "1s", "job": [{"task": "t"}], **workload},
    }


@pytest.mark.parametrize(
    ("workload", "words"),
    [
        ({"arrivals": {"rate": "-5/s"}}, "'-5/s' is not a rate"),
        ({"arrivals": {"process": "ramp", "rate": "5/s"}}, "arrivals of process 'ramp' need 'to'"),
        ({"arrivals": {"process": "poisson", "rate": "5/s", "jobs": 3}}, "'jobs' does not go with arrivals of process 'poisson'"),
        ({"arrivals": {"rate": "5/s"}, "job": [{"task": "t", "weight": 0}]}, "every job has weight 0"),
        ({}, "either `arrivals` or `trace`"),
        ({"arrivals": {"rate": "5/s"}, "trace": "t.csv"}, "either `arrivals` or `trace`"),
        ({"arrivals": {"process": "daily", "rate": "5/s", "day": "1s", "curve": [0.0]}}, "the curve must have"),
    ],
)
def test_a_wrong_workload_is_refused_in_one_line(workload, words):
    with pytest.raises(ScenarioInvalid) as refused:
        scenario_from(_scenario(**workload), "scenario.toml")
    assert words in str(refused.value)
    assert len([line for line in str(refused.value).splitlines() if words in line]) == 1


def test_endless_processes_stop_at_the_duration_without_being_exhausted():
    spec = Arrivals(process="constant", rate="10/s")
    assert len(list(itertools.islice(arrivals_ns(spec, 1.0, Random(1)), 100))) == 10
