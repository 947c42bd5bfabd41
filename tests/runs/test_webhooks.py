"""Webhooks against the shop's own entry: what comes twice is charged twice, unless the shop tells deliveries apart."""

from pathlib import Path

import polars as pl
import pytest

from jobharness.contracts.contract import Word
from jobharness.harness import Harness
from jobharness.history.event import Kind

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]


def tries(result):
    """A row for each try: the delivery, why it was sent, the status, and the job that the answer named, by number or None."""
    rows = result.history.of(Kind.DELIVERY_TRIED).collect().sort("time_ns")
    text = result.history.text
    return pl.DataFrame(
        {
            "delivery": [text(one) for one in rows["text"]],
            "why": [text(one) for one in rows["group"]],
            "status": rows["value"],
            "job": rows["job"],
        }
    )


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The results of both scenarios, which differ by the entry alone."""
    reports = tmp_path_factory.mktemp("webhooks")
    return {
        name: Harness(ROOT, reports).run(f"scenarios/webhooks/{name}.toml")
        for name in ("payment_delivered_twice", "payment_told_apart")
    }


def test_a_shop_that_does_not_tell_deliveries_apart_is_found_out(shop):
    result = shop["payment_delivered_twice"]
    finding = result.verdict["once_per_delivery"]
    assert finding.word is Word.BROKEN
    again = tries(result).filter(pl.col("why") == "again")
    assert finding.counts["repeated"] == again["delivery"].n_unique() > 5
    assert finding.counts["given_up"] == 0
    assert result.exit_code == 1


def test_a_shop_that_does_is_told_so(shop):
    result = shop["payment_told_apart"]
    assert result.exit_code == 0, result.verdict.findings
    sent = tries(result)
    jobs = sent.filter(pl.col("job").is_not_null()).group_by("delivery").agg(pl.col("job").n_unique())
    assert set(jobs["job"]) == {1}
    assert jobs.height == result.verdict["once_per_delivery"].counts["deliveries"]


def test_what_was_not_taken_comes_again_and_what_is_late_comes_out_of_order(shop):
    for result in shop.values():
        sent = tries(result)
        refused, retried = sent.filter(pl.col("status") == 503), sent.filter(pl.col("why") == "retry")
        assert set(retried["delivery"]) == set(refused["delivery"]) and refused.height > 0
        planned = {delivery: at for at, delivery in enumerate(sent.filter(pl.col("why") == "first")["delivery"])}
        intended = result.history.of(Kind.ENQUEUE_INTENDED).collect().sort("value")
        by_job = dict(sent.filter(pl.col("job").is_not_null(), pl.col("why") == "first").select("job", "delivery").iter_rows())
        order = [planned[by_job[job]] for job in intended["job"] if job in by_job]
        assert order != sorted(order)
        assert not sent.filter(pl.col("status") == 401).height
