"""The exact tests, beside scipy's own."""

import numpy as np
import pytest
from scipy import stats

from jobharness.metrics.exact import fewest_pairs, fewest_runs, flipped, ranked, relabelled
from jobharness.metrics.holm import holm

RANDOM = np.random.default_rng(7)


@pytest.mark.parametrize("count", [3, 6, 10, 14])
def test_flips_give_the_p_of_scipys_permutation_test(count):
    differences = RANDOM.normal(0.4, 1, count)
    theirs = stats.permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert flipped(differences) == pytest.approx(theirs.pvalue)


@pytest.mark.parametrize("count", [4, 9, 13])
def test_flips_of_ranks_are_wilcoxons_signed_rank_test(count):
    differences = RANDOM.normal(0.4, 1, count)
    assert flipped(ranked(differences)) == pytest.approx(stats.wilcoxon(differences, method="exact").pvalue)


@pytest.mark.parametrize(("before", "after"), [(3, 4), (5, 5), (7, 6)])
def test_deals_give_the_p_of_scipys_permutation_test(before, after):
    left, right = RANDOM.normal(0, 1, before), RANDOM.normal(1, 1, after)
    # Theirs doubles the smaller tail; the sides being of one size, both tails are alike.
    theirs = stats.permutation_test(
        (left, right), lambda a, b: abs(a.mean() - b.mean()), alternative="greater", n_resamples=np.inf
    )
    assert relabelled(left, right) == pytest.approx(theirs.pvalue)


@pytest.mark.parametrize(("before", "after"), [((0, 5), (5, 5)), ((1, 6), (5, 6)), ((0, 4), (1, 8))])
def test_deals_of_broken_runs_are_fishers_test(before, after):
    left, right = (np.array([1.0] * broken + [0.0] * (runs - broken)) for broken, runs in (before, after))
    table = [[before[0], before[1] - before[0]], [after[0], after[1] - after[0]]]
    assert relabelled(left, right) == pytest.approx(stats.fisher_exact(table).pvalue)


def test_drawn_flips_agree_with_listed_ones_and_are_never_zero():
    """Above fourteen pairs many flips are drawn, and what was seen counts as one of them."""
    differences = RANDOM.normal(0.3, 1, 40)
    assert flipped(ranked(differences)) == pytest.approx(stats.wilcoxon(differences).pvalue, abs=0.01)
    assert 0 < flipped(np.ones(200)) < 1e-3


def test_nothing_that_differs_is_no_evidence():
    assert flipped(np.zeros(8)) == 1
    assert flipped(np.array([])) == 1
    assert relabelled(np.ones(3), np.ones(4)) == 1


def test_equal_ranks_are_shared_and_zero_stays_zero():
    assert ranked(np.array([0.0, -2.0, 2.0, 5.0])).tolist() == [0, -2.5, 2.5, 4]


def test_fewest_pairs_is_where_every_pair_agreeing_first_counts():
    assert fewest_pairs(1, 0.05) == 6
    assert flipped(np.arange(1.0, 7)) <= 0.05 < flipped(np.arange(1.0, 6))
    assert fewest_pairs(18, 0.01) == 12
    assert fewest_runs(1, 0.05) == 4
    assert relabelled(np.arange(4.0), np.arange(4.0) + 10) <= 0.05 < relabelled(np.arange(3.0), np.arange(3.0) + 10)


def test_holm_corrects_as_its_paper_does():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_holm_is_never_more_lenient_than_a_single_test():
    p_values = RANDOM.random(30).tolist()
    assert all(corrected >= p for corrected, p in zip(holm(p_values), p_values, strict=True))
