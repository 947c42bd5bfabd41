"""How often the intervals hold the truth, on simulated runs whose jobs are not independent."""

import numpy as np
import pytest
from scipy import stats

from jobharness.metrics.detectable import POWER, detectable, unseen_share
from jobharness.metrics.intervals import interval, interval_of_two, typical

COMPARISONS = 500


def medians_of_runs(random, runs, shift):
    """Medians of runs of 40 jobs each: what a run has in common (the machine's mood) is as large as what its jobs differ by, and now and
    then a run is disturbed."""
    mood = random.normal(0, 0.1, runs) + (random.random(runs) < 0.1) * random.exponential(0.5, runs)
    jobs = mood[:, None] + random.normal(0, 0.1, (runs, 40))
    return np.median(jobs, axis=1) + shift


@pytest.mark.parametrize("runs", [8, 12])
def test_interval_over_pairs_holds_the_truth_in_95_of_100_comparisons(runs):
    random = np.random.default_rng(100 + runs)
    hit = 0
    for _ in range(COMPARISONS):
        found = interval(medians_of_runs(random, runs, 0.1) - medians_of_runs(random, runs, 0))
        hit += found.low <= 0.1 <= found.high
    assert 0.93 <= hit / COMPARISONS <= 0.99


@pytest.mark.parametrize("runs", [8, 12])
def test_interval_over_runs_that_are_not_paired_holds_the_truth_in_95_of_100_comparisons(runs):
    random = np.random.default_rng(100 + runs)
    hit = 0
    for _ in range(COMPARISONS):
        found = interval_of_two(medians_of_runs(random, runs, 0), medians_of_runs(random, runs, 0.1))
        hit += found.low <= 0.1 <= found.high
    assert 0.93 <= hit / COMPARISONS <= 0.99


def test_jobs_taken_for_independent_would_have_held_it_far_less_often():
    """What the bootstrap over runs is there to avoid: the same runs, their jobs pooled."""
    random = np.random.default_rng(3)
    hit = 0
    for _ in range(COMPARISONS):
        before, after = (random.normal(0, 0.1, (12, 1)) + random.normal(0, 0.1, (12, 40)) + shift for shift in (0, 0.1))
        found = stats.ttest_ind(after.ravel(), before.ravel()).confidence_interval()
        hit += found.low <= 0.1 <= found.high
    assert hit / COMPARISONS < 0.6


def test_typical_run_is_scipys_trimmed_mean():
    values = np.random.default_rng(1).lognormal(0, 1, 25)
    assert typical(values) == pytest.approx(stats.trim_mean(values, 0.2))
    assert interval(values).value == pytest.approx(stats.trim_mean(values, 0.2))


def test_one_run_disturbed_beyond_measure_hardly_moves_the_interval():
    values = np.random.default_rng(2).normal(0, 0.02, 15)
    disturbed = values.copy()
    disturbed[3] = 50
    assert interval(disturbed).width < 2 * interval(values).width


def test_same_runs_give_the_same_interval():
    values = np.random.default_rng(2).normal(0, 1, 9)
    assert interval(values) == interval(values.copy())


def test_equal_values_have_an_interval_without_width():
    assert interval(np.full(5, 2.0)).width == 0
    assert interval_of_two(np.full(5, 2.0), np.full(4, 3.0)).value == 1


def test_difference_of_the_smallest_size_is_called_as_often_as_it_is_said_to_be():
    """Simulated with one metric: the interval past the tolerance, as `judgement` asks for it."""
    random, runs, tolerance, spread = np.random.default_rng(5), 14, 0.05, 0.04
    smallest = detectable(spread / np.sqrt(runs), runs, tolerance, alpha=0.01)
    called = sum(interval(random.normal(smallest, spread, runs), trim=0).low > tolerance for _ in range(COMPARISONS))
    assert called / COMPARISONS == pytest.approx(POWER, abs=0.08)


def test_what_no_run_showed_may_still_happen_in_some():
    assert unseen_share(10) == pytest.approx(stats.binomtest(0, 10).proportion_ci(0.9, "exact").high)
    assert unseen_share(0) == 1
