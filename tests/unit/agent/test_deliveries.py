"""What a webhook carries, and what its sender does, as the plan says it."""

import hashlib
import hmac

import pytest
from pydantic import ValidationError

from jobharness.agent.deliveries import signature
from jobharness.scenario.workload import WorkloadSpec
from jobharness.workload.plan import planned_jobs


def test_a_body_is_signed_as_stripe_signs_it():
    (value,) = signature("stripe", "whsec", b'{"id": "evt"}', "evt", 1700000000).values()
    mac = hmac.new(b"whsec", b'1700000000.{"id": "evt"}', hashlib.sha256).hexdigest()
    assert value == f"t=1700000000,v1={mac}"


def test_a_body_is_signed_as_github_signs_it():
    """The example of GitHub's own documentation."""
    headers = signature("github", "It's a Secret to Everybody", b"Hello, World!", "72d3162e", 0)
    assert headers == {
        "X-Hub-Signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
        "X-GitHub-Delivery": "72d3162e",
    }
    assert signature("none", "", b"{}", "evt", 0) == {}


def planned(**delivery):
    job = {"post": "/hook", "kwargs": {"id": "evt_{faker.uuid4}"}, "delivery": delivery}
    arrivals = {"process": "constant", "rate": "100/s"}
    workload = WorkloadSpec.model_validate({"arrivals": arrivals, "duration": "10s", "job": [job]})
    return [one["delivery"] | {"body": one["http"]["body"]} for one in planned_jobs(workload, 1, "http://127.0.0.1:1")]


def test_each_delivery_has_its_name_from_its_body():
    assert all(one["id"] == one["body"]["id"] for one in planned())
    assert len({one["id"] for one in planned()}) == 1000


def test_the_shares_are_kept_and_the_same_seed_gives_the_same_plan():
    plan = planned(duplicates="20%", late="30%", late_by="2s", again_after="100ms")
    assert plan == planned(duplicates="20%", late="30%", late_by="2s", again_after="100ms")
    assert 150 < sum(one["again_ns"] == [100_000_000] for one in plan) < 250
    assert 250 < sum(one["late_ns"] > 0 for one in plan) < 350
    assert max(one["late_ns"] for one in plan) <= 2_000_000_000
    assert not any(one["again_ns"] or one["late_ns"] for one in planned())


def test_the_pauses_grow_to_their_cap_and_there_is_one_less_than_tries():
    backoff = {"first": "1s", "factor": 3.0, "cap": "5s"}
    assert planned(tries=4, backoff=backoff)[0]["pauses_ns"] == [1_000_000_000, 3_000_000_000, 5_000_000_000]
    assert planned(tries=1, backoff=backoff)[0]["pauses_ns"] == []
    jittered = planned(tries=2, backoff={**backoff, "jitter": "50%"})
    assert all(500_000_000 <= one["pauses_ns"][0] <= 1_000_000_000 for one in jittered)
    assert len({one["pauses_ns"][0] for one in jittered}) > 900


@pytest.mark.parametrize(
    ("job", "message"),
    [
        ({"task": "t", "kwargs": {"id": "1"}, "delivery": {}}, "goes with `post`"),
        ({"post": "/hook", "delivery": {}}, "its `id` is a field of `kwargs`"),
        ({"post": "/hook", "kwargs": {"id": "1"}, "delivery": {"sign": "stripe"}}, "both `sign` and `secret_env`"),
        ({"post": "/hook", "kwargs": {"id": "1"}, "delivery": {"secret_env": "X"}}, "both `sign` and `secret_env`"),
        ({"post": "/hook", "kwargs": {"id": "1"}, "delivery": {"duplicates": "150%"}}, "less than or equal to 1"),
    ],
)
def test_a_delivery_that_cannot_be_is_refused(job, message):
    arrivals = {"process": "constant", "rate": "1/s"}
    with pytest.raises(ValidationError, match=message):
        WorkloadSpec.model_validate({"arrivals": arrivals, "duration": "1s", "job": [job]})
