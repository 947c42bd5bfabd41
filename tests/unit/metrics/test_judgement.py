"""What several runs of two versions are said to show."""

from dataclasses import dataclass

import numpy as np
import pytest

from jobharness.metrics.gate import judge_gate_of_runs
from jobharness.metrics.judgement import ALPHA, judge_metrics
from jobharness.metrics.kept import kept_promises
from jobharness.metrics.metric import Metric


@dataclass
class Limit:
    max: float | None = None
    min: float | None = None
    regress: float | None = None


def runs(random, count, *, slower=1.0, noise=0.02, lost=0):
    """Runs with three metrics, of which one is a count."""
    return [
        {
            "latency.p95": Metric("latency.p95", slower * float(np.exp(random.normal(0, noise))), "s", 100),
            "throughput": Metric("throughput", 50 / slower * float(np.exp(random.normal(0, noise))), "1/s", 100, "higher"),
            "jobs.lost": Metric("jobs.lost", lost, "jobs", 100),
        }
        for _ in range(count)
    ]


def words(before, after, tolerances=None, paired=True):
    return {one.name: one.word for one in judge_metrics(before, after, tolerances or {}, paired)}


@pytest.mark.parametrize("paired", [True, False])
def test_ten_percent_slower_is_worse_and_the_other_way_round_better(paired):
    random = np.random.default_rng(1)
    fast, slow = runs(random, 14), runs(random, 14, slower=1.12)
    assert words(fast, slow, paired=paired) == {"latency.p95": "worse", "throughput": "worse", "jobs.lost": "no difference"}
    assert words(slow, fast, paired=paired) == {"latency.p95": "better", "throughput": "better", "jobs.lost": "no difference"}


def test_same_version_is_no_difference_where_the_runs_are_steady_enough_to_say_so():
    random = np.random.default_rng(2)
    assert set(words(runs(random, 14), runs(random, 14)).values()) == {"no difference"}


def test_difference_within_the_tolerance_is_none():
    random = np.random.default_rng(3)
    assert words(runs(random, 14), runs(random, 14, slower=1.03), {"latency.p95": 0.10})["latency.p95"] == "no difference"


def test_noise_larger_than_the_tolerance_is_not_enough_evidence():
    random = np.random.default_rng(4)
    (one, *_) = [
        j for j in judge_metrics(runs(random, 14, noise=0.3), runs(random, 14, noise=0.3), {}, True) if j.name == "latency.p95"
    ]
    assert one.word == "not enough evidence"
    assert one.detectable is not None and one.detectable > 0.2


def test_few_pairs_call_nothing_however_clear_they_look():
    random = np.random.default_rng(5)
    (one, *_) = [j for j in judge_metrics(runs(random, 5), runs(random, 5, slower=2), {}, True) if j.name == "latency.p95"]
    assert one.word == "not enough evidence"
    assert one.sentence == "5 pairs; 2 metrics need 9 before any can be called"


def test_one_run_a_side_has_no_interval():
    random = np.random.default_rng(6)
    (one, *_) = [j for j in judge_metrics(runs(random, 1), runs(random, 1, slower=2), {}, True) if j.name == "latency.p95"]
    assert (one.word, one.low, one.detectable, one.difference) == ("not enough evidence", None, None, "not known")


def test_metric_that_no_run_observed_is_left_out_and_one_that_some_did_not_says_so():
    random = np.random.default_rng(7)
    before, after = runs(random, 14), runs(random, 14)
    for run in (*before, *after):
        run["recovery.max"] = Metric("recovery.max", None, "s", 0)
    after[3]["latency.p95"] = Metric("latency.p95", None, "s", 0)
    judged = {one.name: one for one in judge_metrics(before, after, {}, True)}
    assert "recovery.max" not in judged
    assert judged["latency.p95"].count == 13


def test_wider_noise_floor_takes_a_call_back():
    random = np.random.default_rng(8)
    fast, slow = runs(random, 14), runs(random, 14, slower=1.12)
    called = [one.word for one in judge_metrics(fast, slow, {}, False, floor=0.10) if one.name == "latency.p95"]
    assert called == ["not enough evidence"]


def test_same_version_is_called_in_at_most_one_of_a_hundred_comparisons():
    """Simulated, with noise as large as the tolerance: the worst there is, since then neither guard alone does all the work."""
    random = np.random.default_rng(9)
    called = 0
    for _ in range(200):
        found = words(runs(random, 12, noise=0.05), runs(random, 12, noise=0.05))
        called += bool({"worse", "better"} & set(found.values()))
    assert called / 200 <= ALPHA


def test_count_that_rises_in_every_pair_is_worse_and_one_that_rose_once_is_not_enough_evidence():
    random = np.random.default_rng(10)
    before, after = runs(random, 14), runs(random, 14, lost=1)
    assert words(before, after)["jobs.lost"] == "worse"
    once = runs(random, 14)
    once[5] |= {"jobs.lost": Metric("jobs.lost", 1, "jobs", 100)}
    assert words(before, once)["jobs.lost"] == "not enough evidence"


def test_promise_broken_once_is_newly_broken_and_says_how_little_that_proves():
    (one,) = kept_promises([{"at_least_once": "holds"}] * 10, [{"at_least_once": "holds"}] * 9 + [{"at_least_once": "broken"}])
    assert one.word == "newly broken"
    assert one.sentence == (
        "broken in 0 of 10 runs before and 1 of 10 after; so few runs do not prove that the change is the cause (chance: 1)"
    )


@pytest.mark.parametrize(
    ("before", "after", "word"),
    [
        (["holds", "holds"], ["holds", "holds"], "holds"),
        (["broken", "holds"], ["holds", "holds"], "mended"),
        (["broken", "broken"], ["broken", "holds"], "broken on both"),
        (["holds", "holds"], ["unknown", "unknown"], "not known"),
        (["unknown", "holds"], ["broken", "unknown"], "newly broken"),
    ],
)
def test_word_for_a_promise(before, after, word):
    (one,) = kept_promises([{"recovery": was} for was in before], [{"recovery": is_} for is_ in after])
    assert one.word == word


def gate(limit, after, before=None, seed=11):
    random = np.random.default_rng(seed)
    left, right = runs(random, 14, slower=before or 1.0), runs(random, 14, slower=after)
    tolerances = {"latency.p95": limit.regress} if limit.regress is not None else {}
    (found,) = judge_gate_of_runs(right, judge_metrics(left, right, tolerances, True), {"latency.p95": limit})
    return found.word


@pytest.mark.parametrize(
    ("limit", "after", "word"),
    [
        (Limit(regress=0.10), 1.0, "passed"),
        (Limit(regress=0.10), 1.3, "crossed"),
        (Limit(regress=0.10), 0.7, "passed"),
        (Limit(regress=0.10), 1.1, "unknown"),
        (Limit(max=1.2), 1.0, "passed"),
        (Limit(max=1.2), 1.4, "crossed"),
        (Limit(max=1.0), 1.0, "unknown"),
        (Limit(min=0.9), 1.0, "passed"),
        (Limit(min=0.9), 0.7, "crossed"),
        (Limit(max=0.9, regress=0.1), 1.0, "crossed"),
    ],
)
def test_gate_is_judged_by_the_whole_interval(limit, after, word):
    assert gate(limit, after) == word


def test_gate_on_what_was_not_observed_is_unknown():
    (found,) = judge_gate_of_runs([{}], [], {"recovery.max": Limit(regress=0.1)})
    assert found.word == "unknown"
    (found,) = judge_gate_of_runs([{}], [], {"recovery.max": Limit(max=1)})
    assert found.word == "unknown"


def test_a_recovery_that_never_came_is_counted_and_makes_no_time_of_the_others():
    """Where most never came back, those that did were fast: that must not read as an improvement."""

    def run(slowest_s, never):
        return {
            "recovery.max": Metric("recovery.max", slowest_s, "s", 5),
            "recovery.never": Metric("recovery.never", never, "jobs", 5),
        }

    before = [run(2.0 + n / 100, 0) for n in range(16)]
    after = [run(float("inf"), 3) for _ in range(16)]
    judged = {one.name: one.word for one in judge_metrics(before, after, {}, paired=True)}
    assert judged == {"recovery.never": "worse"}
    mixed = after[:4] + before[4:]
    judged = {one.name: one for one in judge_metrics(before, mixed, {"recovery.max": 0.1}, paired=True)}
    assert (judged["recovery.max"].word, judged["recovery.max"].count) == ("no difference", 12)
