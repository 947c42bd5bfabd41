"""Which message a fault waits for."""

import pytest

from jobharness.errors import InvalidRequest
from jobharness.wire.match import Match
from jobharness.wire.message import Direction, Message


def sent(command, *also, raw=b"", context=b""):
    return Message(Direction.TO_BROKER, command, raw, 1, also=also, context=context)


def answered(command, *also):
    return Message(Direction.FROM_BROKER, command, b"", of=1, also=also)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("EXEC", Match("exec")),
        ("after ack job=7", Match("ack", after=True, job=7)),
        ("before reply BRPOP job=any", Match("brpop", reply=True, job="any")),
        ("PUB has=orders by=producer nth=3", Match("pub", has=b"orders", by="producer", nth=3)),
        ("4", Match(nth=4)),
        ("ack job=id:17", Match("ack", job="17")),
        ("ack job=b-17", Match("ack", job="b-17")),
    ],
)
def test_words_are_read(text, match):
    assert Match.parse(text) == match


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "needs a command"),
        ("ack nack", "names two commands"),
        ("ack jobs=7", "did you mean job=?"),
        ("ack colour=red", "no condition colour="),
        ("ack nth=0", "begin with 1"),
        ("ack by=", "has no value"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_is_allowed(text, problem):
    with pytest.raises(InvalidRequest, match=problem.replace("?", r"\?")):
        Match.parse(text)


@pytest.mark.parametrize(
    ("text", "message", "fits"),
    [
        ("exec", sent("EXEC"), True),
        ("exec", sent("EXECUTE"), False),
        ("ack", sent("basic.ack"), True),
        ("basic.*", sent("basic.ack"), True),
        ("hdel", sent("EXEC", "ZREM", "HDEL"), True),
        ("ack", answered("basic.ack"), False),
        ("reply brpop", answered("BRPOP"), True),
        ("reply datarow", answered("SELECT", "DataRow"), True),
        ("reply *", answered(""), False),
        ("exec has=unacked", sent("EXEC", raw=b"EXEC", context=b"HDEL unacked"), True),
        ("exec has=unacked", sent("EXEC", raw=b"EXEC"), False),
        ("3", sent("anything"), True),
    ],
)
def test_message_fits_by_its_names_and_what_is_in_it(text, message, fits):
    assert Match.parse(text).fits(message, "worker-1") is fits


@pytest.mark.parametrize(
    ("by", "name", "fits"),
    [("worker-1", "worker-1", True), ("worker-1", "worker-2", False), ("workers", "worker-2", True), ("workers", "producer", False), ("", "service", True)],
)  # fmt: skip
def test_message_fits_by_whose_it_is(by, name, fits):
    text = f"ack by={by}" if by else "ack"
    assert Match.parse(text).fits(sent("ack"), name) is fits


def test_what_was_masked_in_a_signature_may_be_anything():
    match = Match(alike="SCRIPT LOAD local token = ***('get', KEYS[#])")
    assert match.is_alike("SCRIPT LOAD local token = redis.call('get', KEYS[#])")
    assert not match.is_alike("SCRIPT LOAD local token = redis.call('set', KEYS[#])")
    assert Match().is_alike("anything") and not Match(alike="GET #").is_alike("GET")
