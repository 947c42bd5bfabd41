"""Faults that cannot work on a pair are refused before anything starts, with what would make them work."""

from pathlib import Path

import pytest

from jobharness import Scenario
from jobharness.catalog import assemble
from jobharness.errors import InvalidRequest, ScenarioInvalid
from jobharness.wire.plan import WirePlan, checked_step, translated

ROOT = Path(__file__).parents[3]


def scenario(fault, broker="redis", **more):
    return Scenario.model_validate(
        {
            "title": "t",
            "queue": {"adapter": "celery", "app": "scenarios.apps.celery_shop:app"},
            "broker": {"kind": broker, **more},
            "workload": {
                "arrivals": {"process": "constant", "rate": "1/s"},
                "duration": "1s",
                "job": [{"task": "scenarios.apps.celery_shop.charge"}],
            },
            "fault": [fault],
        }
    )


@pytest.mark.parametrize(
    ("url", "framing"),
    [
        ("redis://127.0.0.1:6379/0", "resp"),
        ("amqp://guest:guest@127.0.0.1/", "amqp"),
        ("postgresql+psycopg://127.0.0.1/jobs", "postgres"),
        ("nats://127.0.0.1:4222", "nats"),
    ],
)
def test_protocol_is_known_from_the_address(url, framing):
    assert WirePlan.before(url, gated=True) == WirePlan(framing, gated=True)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("rediss://127.0.0.1:6379/0", "encrypted"),
        ("amqps://127.0.0.1/", "plain port"),
        ("postgresql://127.0.0.1/jobs?sslmode=require", "encrypted"),
        ("sqs://queue", "no connection that could"),
    ],
)
def test_broker_that_no_proxy_can_stand_before_is_refused(url, problem):
    with pytest.raises(InvalidRequest, match=problem):
        WirePlan.before(url, gated=False)


def test_each_process_has_an_address_of_its_own_with_the_same_user_and_database():
    wire = WirePlan("amqp", gated=False).make("amqp://me:secret@127.0.0.1/jobs")
    wire._ports["worker-1", False] = 4711
    assert wire.url_for("worker-1") == "amqp://me:secret@127.0.0.1:4711/jobs"


def test_message_of_another_protocol_is_refused_with_the_words_that_there_are():
    with pytest.raises(InvalidRequest) as refused:
        checked_step("basic.ack", "resp", {"ack": "EXEC has=HDEL"})
    assert "'resp' has no message 'basic.ack'" in str(refused.value) and "This queue's own words: ack" in str(refused.value)


def test_misspelt_command_is_refused_with_the_nearest():
    with pytest.raises(InvalidRequest, match="Did you mean 'brpop'"):
        checked_step("BRPOPP", "resp", {})


def test_own_words_of_a_queue_become_the_protocols():
    assert translated("after ack job=7", {"ack": "EXEC has=HDEL"}) == "after EXEC has=HDEL job=7"


@pytest.mark.parametrize(
    ("fault", "broker", "problem"),
    [
        ({"kind": "kill", "on": "broker.step:basic.deliver"}, "redis", "no message 'basic.deliver'"),
        ({"kind": "kill", "on": "broker.step:BRPOP"}, "rabbitmq", "no message 'brpop'"),
        ({"kind": "latency", "at": "1s", "by": "1s"}, "sqlite", "no connection to 'sqlite'"),
        ({"kind": "kill", "on": "broker.step:reply COMMIT"}, "sqlite", "write `after`"),
        ({"kind": "lose_message", "on": "job.running"}, "redis", "strikes at a message"),
        ({"kind": "lose_message", "on": "broker.step:ack", "task": "x"}, "redis", "does not go with 'lose_message'"),
        ({"kind": "lose_message", "on": "broker.step:ack", "then": "shout"}, "redis", "then must be one of reset, silence"),
        ({"kind": "latency", "at": "1s", "by": "soon"}, "redis", "is not a duration"),
        ({"kind": "latency", "at": "1s", "by": "1s", "target": "everyone"}, "redis", "target must be one of"),
        ({"kind": "latency", "at": "1s", "by": "1s", "share": 2}, "redis", "share must be"),
        ({"kind": "bandwidth", "at": "1s", "limit": "fast"}, "redis", "limit must be a rate"),
        ({"kind": "corruption", "at": "1s", "damaged": 1}, "redis", "damaged is a share"),
        ({"kind": "reset", "at": "1s", "first": 0}, "redis", "first must be at least 1"),
        ({"kind": "partition", "at": "1s", "by": "1s"}, "redis", "unknown key"),
    ],
)
def test_fault_that_cannot_work_is_refused(fault, broker, problem):
    with pytest.raises(ScenarioInvalid) as refused:
        assemble(scenario(fault, broker), ROOT)
    assert problem in str(refused.value)
