"""Quotas are exact: checked against a count of every window, by brute force."""

from hypothesis import given
from hypothesis import strategies as st

from jobharness.upstream.quota import Concurrency, SlidingWindow, TokenBucket

SECOND = 1_000_000_000
moments = st.lists(st.integers(0, 5 * SECOND), min_size=1, max_size=60).map(sorted)


def fullest_window(passed, length_ns):
    """The most requests in any half-open window; the fullest begins at a request."""
    return max((sum(1 for later in passed if start <= later < start + length_ns) for start in passed), default=0)


@given(moments, st.integers(1, 5))
def test_no_sliding_window_holds_more_than_the_limit_and_none_is_refused_without_need(asked, limit):
    quota, passed = SlidingWindow(limit, 1.0), []
    for now in asked:
        if quota.ask(now).passes:
            passed.append(now)
        else:
            assert fullest_window([*passed, now], SECOND) > limit
    assert fullest_window(passed, SECOND) <= limit


@given(moments, st.integers(1, 5))
def test_waiting_as_long_as_the_sliding_window_says_is_just_enough(asked, limit):
    quota = SlidingWindow(limit, 1.0)
    for now in asked:
        said = quota.ask(now)
        if not said.passes:
            assert not quota.ask(now + said.retry_after_ns - 1).passes
            assert quota.ask(now + said.retry_after_ns).passes
            return


@given(moments, st.integers(1, 5))
def test_token_bucket_never_passes_more_than_its_burst_and_its_rate(asked, limit):
    quota = TokenBucket(limit, 1.0)
    passed = [now for now in asked if quota.ask(now).passes]
    for index, start in enumerate(passed):
        for count, end in enumerate(passed[index:], start=1):
            assert count <= limit + (end - start) * limit / SECOND + 1e-6


def test_token_bucket_is_full_again_after_one_window():
    quota = TokenBucket(3, 1.0)
    assert [quota.ask(0).passes for _ in range(4)] == [True, True, True, False]
    assert [quota.ask(SECOND).passes for _ in range(4)] == [True, True, True, False]


def test_token_bucket_says_when_the_next_token_is_there():
    quota = TokenBucket(2, 1.0)
    quota.ask(0), quota.ask(0)
    wait_ns = quota.ask(0).retry_after_ns
    assert wait_ns == SECOND // 2
    assert not quota.ask(wait_ns - 1).passes
    assert quota.ask(wait_ns).passes


def test_concurrency_counts_what_is_under_way():
    quota = Concurrency(2, 1.5)
    assert [quota.ask(0).passes for _ in range(3)] == [True, True, False]
    assert quota.ask(0).retry_after_ns == 1.5 * SECOND
    quota.done()
    assert quota.ask(0).passes
