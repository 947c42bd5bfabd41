"""The smallest safe lease: from run times and from what was seen of renewals, with the setting's name and unit."""

from dataclasses import replace
from math import inf

import pytest

from jobharness.explore.ownership import Answer
from jobharness.explore.safe_lease import Times, safe_lease, seconds_of, times_of
from jobharness.queues.queue import LeaseTerms, Limit
from tests.histories import history

TIMES = Times(500, 20.3, 19.0, "reports/monday")
UNRENEWED = LeaseTerms("a visibility timeout", "visibility_timeout", lasts_s=30.0)
RENEWED = LeaseTerms("a heartbeat", "stalled_after", lasts_s=30.0, renewed_s=10.0)


def safe(terms, slow=Answer.NO, blocked=Answer.NO, times=TIMES, safety=2.0):
    return safe_lease(terms, times, safety, slow, blocked)


def test_lease_that_nothing_renews_outlasts_the_longest_run_times_the_safety():
    found = safe(UNRENEWED, Answer.YES)
    assert found.least_s == 42.0 and found.too_short
    assert found.sentence == "visibility_timeout >= 42 s: the longest of 500 in reports/monday took 21 s, doubled"
    assert not safe(LeaseTerms("a lease", "visibility_timeout", lasts_s=3600.0), Answer.YES).too_short


def test_setting_is_told_in_its_own_unit_and_less_what_the_library_adds():
    found = safe(LeaseTerms("idle", "idle_timeout (ms)", lasts_s=600.0, unit_s=0.001), Answer.YES)
    assert found.sentence.startswith("idle_timeout (ms) >= 42000 (42 s): ")
    found = safe(LeaseTerms("a mark", "job_timeout", lasts_s=20.0, spare_s=10.0), Answer.YES)
    assert found.sentence.startswith("job_timeout >= 32 s: ") and found.least_s == 42.0


def test_lease_that_is_renewed_outlasts_a_missed_renewal_whatever_the_runs():
    found = safe(RENEWED)
    assert found.least_s == 20.0 and not found.too_short
    assert "as it is, a pause of up to 20 s is borne" in found.further


def test_lease_whose_renewals_come_as_often_as_it_needs_may_have_any_length():
    found = safe(LeaseTerms("a heartbeat", "heartbeat_timeout", lasts_s=30.0, renewed_s=15.0, scales=True))
    assert found.least_s is None and found.known and not found.too_short


def test_run_that_blocks_what_renews_needs_all_of_its_time():
    found = safe(LeaseTerms("a heartbeat", "heartbeat_timeout", lasts_s=30.0, renewed_s=15.0, scales=True), blocked=Answer.YES)
    assert found.least_s == 42.0 and found.too_short and "a run that blocks its process is not renewed" in found.sentence


def test_what_was_seen_counts_more_than_what_the_library_says():
    found = safe(LeaseTerms("a heartbeat", "heartbeat_timeout", lasts_s=30.0, renewed_s=1.0), slow=Answer.YES)
    assert found.least_s == 42.0


def test_limit_of_a_run_must_leave_it_its_time():
    limit = Limit("consumer_timeout (ms)", 30.0, 0.001)
    found = safe(LeaseTerms("a connection", lasts_s=120.0, renewed_s=30.0, scales=True, limit=limit))
    assert "consumer_timeout (ms) >= 42000 (42 s), and it is 30000 (30 s)" in found.further[-1]


def test_where_there_is_no_lease_it_says_what_that_means():
    found = safe(LeaseTerms("taking a task removes it"))
    assert (found.least_s, found.now_s, found.known) == (None, inf, True)
    assert found.sentence == "there is no lease: taking a task removes it"


@pytest.mark.parametrize(
    ("terms", "slow", "blocked", "times"),
    [
        (None, Answer.YES, Answer.NO, TIMES),
        (UNRENEWED, Answer.UNKNOWN, Answer.NO, TIMES),
        (UNRENEWED, Answer.YES, Answer.NO, None),
        (RENEWED, Answer.NO, Answer.UNKNOWN, TIMES),
        (RENEWED, Answer.NO, Answer.YES, None),
        (replace(RENEWED, scales=True), Answer.NO, Answer.UNKNOWN, TIMES),
        (replace(RENEWED, scales=True), Answer.NO, Answer.YES, None),
    ],
)
def test_what_nobody_could_tell_is_not_known(terms, slow, blocked, times):
    found = safe(terms, slow, blocked, times)
    assert not found.known and found.least_s is None


def test_times_are_from_taking_to_settling_and_of_jobs_that_ran_once():
    lines = """
        0.0  worker-1  job.received  a  text=charge
        0.5  worker-1  job.running   a  text=charge
        1.0  worker-1  job.finished  a
        1.2  worker-1  job.settled   a
        2.0  worker-1  job.running   b
        2.4  worker-1  job.finished  b
        3.0  worker-1  job.running   c
        4.0  worker-2  job.running   c
        9.0  worker-2  job.finished  c
        9.0  worker-1  job.running   d
    """
    assert sorted(seconds_of(history(lines), "")) == pytest.approx([0.4, 1.2])
    assert times_of([], "nowhere") is None
    assert times_of([1.0, 3.0], "here").longest_s == 3.0
