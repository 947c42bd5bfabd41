"""The API that jobs call, misbehaving in each of its ways: what it did stands in its ledger, and what the callers made of it."""

from collections import Counter

import pytest

from jobharness.clock import NS_PER_S
from jobharness.contracts.contract import Word
from jobharness.history.event import Kind
from tests.support.evidence import kinds_of, rows

pytestmark = pytest.mark.real


def hit_jobs(history):
    """The jobs whose requests the fault hit."""
    return {row["job"] for row in rows(history, Kind.FAULT_HIT) if row["job"] is not None and row["text"] is not None}


def effects(history):
    """How often each receipt was sent, by its idempotency key."""
    return Counter(history.text(row["text"]) for row in rows(history, Kind.EFFECT_APPLIED))


def took_s(history, job):
    """How long each execution of a job took, s."""
    begun, ended = (
        [row["time_ns"] for row in rows(history, kind) if row["job"] == job] for kind in (Kind.JOB_RUNNING, Kind.JOB_FINISHED)
    )
    return [(end - begin) / NS_PER_S for begin, end in zip(begun, ended, strict=True)]


def test_jobs_of_a_slow_time_take_as_long_and_their_receipts_are_sent_once(run):
    result = run("api_is_slow")
    assert result.verdict.word is Word.HOLDS, result.verdict.findings
    slow = {job for job in result.history.lives["job"] if took_s(result.history, job)[0] >= 0.5}
    assert slow and slow == hit_jobs(result.history)
    assert set(effects(result.history).values()) == {1}


def test_caller_of_an_api_that_hangs_gives_up_when_its_patience_ends_and_tries_again(run):
    result = run("api_hangs")
    assert result.verdict.word is Word.HOLDS, result.verdict.findings
    given_up = {row["job"] for row in rows(result.history, Kind.JOB_RETRIED)}
    assert given_up and given_up == hit_jobs(result.history)
    # Nothing was done for those that heard no answer.
    assert set(effects(result.history).values()) == {1} and len(effects(result.history)) == 60


def test_request_whose_connection_was_reset_had_no_effect_and_is_made_again(run):
    result = run("api_resets")
    assert result.verdict.word is Word.HOLDS, result.verdict.findings
    asked = Counter(row["job"] for row in rows(result.history, Kind.UPSTREAM_REQUEST))
    hit = hit_jobs(result.history)
    assert hit and all(asked[job] >= 2 for job in hit) and all(asked[job] == 1 for job in asked.keys() - hit)
    assert set(effects(result.history).values()) == {1} and len(effects(result.history)) == 60


def test_caller_that_hears_no_reply_has_its_receipt_sent_twice(run):
    result = run("api_loses_replies")
    assert result.verdict["at_least_once"].word is Word.HOLDS
    finding = result.verdict["exactly_once_effect"]
    assert finding.word is Word.BROKEN
    again = {key: count for key, count in effects(result.history).items() if count > 1}
    assert len(again) == len(hit_jobs(result.history)) and set(finding.jobs) == hit_jobs(result.history)


def test_quota_refuses_whoever_is_over_it_and_lets_each_in_once(run):
    result = run("api_has_a_quota")
    assert result.verdict.word is Word.HOLDS, result.verdict.findings
    answers = rows(result.history, Kind.UPSTREAM_ANSWERED)
    passed = sorted(row["time_ns"] for row in answers if row["value"] == 200)
    refused = {row["job"] for row in answers if row["value"] == 429}
    assert refused and len(passed) == 20
    # No six within a second; an answer is told some milliseconds after its request was let in.
    assert all(sixth - first > 0.95 * NS_PER_S for first, sixth in zip(passed, passed[5:], strict=False))
    assert all(Kind.JOB_RETRIED in kinds_of(result.history, job) for job in refused)
