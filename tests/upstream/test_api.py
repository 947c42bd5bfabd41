"""The upstream as its callers see it, and as the history remembers it."""

import http.client
import uuid
from email.utils import parsedate_to_datetime

import polars as pl
import pytest

from jobharness.clock import utc_now
from jobharness.history import log
from jobharness.history.event import Kind
from jobharness.upstream.behaviour import Manners, Misbehaviour, QuotaRule
from tests.support.upstream import upstream_at

JOB = str(uuid.UUID(int=7))


def call(upstream, path="/messages", timeout_s=5.0):
    connection = http.client.HTTPConnection(upstream.url.removeprefix("http://"), timeout=timeout_s)
    try:
        connection.request("POST", path, "{}", {"X-Job-Id": JOB, "Idempotency-Key": "order-1"})
        answer = connection.getresponse()
        answer.read()
        return answer
    finally:
        connection.close()


def ledger(tmp_path):
    """`(kind, value)` of every entry, in order."""
    history = log.gather(tmp_path / "records", {})
    rows = history.rows.filter(pl.col("kind") >= int(Kind.FAULT_BEGIN)).collect()
    return [(Kind(row["kind"]), row["value"]) for row in rows.iter_rows(named=True)]


def test_request_is_answered_and_stands_in_the_ledger_with_its_job(tmp_path):
    with upstream_at(tmp_path) as upstream:
        assert call(upstream).status == 200
    assert ledger(tmp_path) == [(Kind.UPSTREAM_REQUEST, 0), (Kind.EFFECT_APPLIED, 0), (Kind.UPSTREAM_ANSWERED, 200)]
    history = log.gather(tmp_path / "records", {})
    assert history.job_id(0) == JOB
    assert "order-1" in history.texts.to_list()


def test_request_over_the_quota_gets_429_with_the_seconds_to_wait(tmp_path):
    quota = QuotaRule(kind="sliding-window", limit=2, window_s=30)
    with upstream_at(tmp_path, Manners(quotas=(quota,))) as upstream:
        answers = [call(upstream) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 30
    assert answers[2].headers["X-RateLimit-Limit"] == "2"
    assert answers[2].headers["X-RateLimit-Remaining"] == "0"
    assert (Kind.EFFECT_APPLIED, 0) not in ledger(tmp_path)[-3:]


@pytest.mark.parametrize("style", ["date", "none"])
def test_429_may_say_a_date_or_nothing(tmp_path, style):
    quota = QuotaRule(kind="token-bucket", limit=1, window_s=30)
    with upstream_at(tmp_path, Manners(quotas=(quota,), retry_after=style)) as upstream:
        call(upstream)
        refused = call(upstream)
    assert refused.status == 429
    if style == "none":
        assert "Retry-After" not in refused.headers
    else:
        # A date of whole seconds: never earlier than the token.
        assert 0 < (parsedate_to_datetime(refused.headers["Retry-After"]) - utc_now()).total_seconds() <= 32


def test_quota_counts_callers_apart_by_a_header(tmp_path):
    quota = QuotaRule(kind="sliding-window", limit=1, window_s=30, key="Idempotency-Key")
    with upstream_at(tmp_path, Manners(quotas=(quota,))) as upstream:
        assert [call(upstream).status for _ in range(2)] == [200, 429]


def test_reset_is_seen_as_a_reset_and_nothing_is_done(tmp_path):
    with upstream_at(tmp_path) as upstream:
        upstream.misbehave(Misbehaviour(label="wrong", answer="reset"))
        with pytest.raises(ConnectionResetError):
            call(upstream)
    assert [kind for kind, _ in ledger(tmp_path)] == [Kind.UPSTREAM_REQUEST, Kind.FAULT_HIT, Kind.UPSTREAM_ANSWERED]


def test_lost_reply_has_taken_effect(tmp_path):
    with upstream_at(tmp_path) as upstream:
        upstream.misbehave(Misbehaviour(label="wrong", answer="reply-lost"))
        with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
            call(upstream)
    assert Kind.EFFECT_APPLIED in [kind for kind, _ in ledger(tmp_path)]


def test_hang_ends_with_the_callers_patience(tmp_path):
    with upstream_at(tmp_path) as upstream:
        upstream.misbehave(Misbehaviour(label="wrong", answer="hang"))
        with pytest.raises(TimeoutError):
            call(upstream, timeout_s=0.3)
        upstream.behave("wrong")
        assert call(upstream).status == 200


def test_only_the_named_path_is_hit_and_only_until_it_behaves_again(tmp_path):
    with upstream_at(tmp_path) as upstream:
        upstream.misbehave(Misbehaviour(label="wrong", answer=503, path="/messages"))
        assert [call(upstream).status, call(upstream, "/other").status] == [503, 200]
        upstream.behave("wrong")
        upstream.behave("wrong")
        assert call(upstream).status == 200
    assert [kind for kind, _ in ledger(tmp_path)].count(Kind.FAULT_HIT) == 1


def test_share_is_drawn_from_the_seed(tmp_path):
    with upstream_at(tmp_path) as upstream:
        seen = []
        for _ in range(2):
            upstream.misbehave(Misbehaviour(label="wrong", answer=500, share=0.5, seed="7"))
            seen.append([call(upstream).status for _ in range(20)])
    assert seen[0] == seen[1]
    assert {200, 500} == set(seen[0])
