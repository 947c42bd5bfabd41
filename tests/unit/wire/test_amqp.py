"""AMQP 0-9-1 is cut into whole messages, whatever pieces it arrives in, and never changed."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobharness.wire.amqp import Amqp
from jobharness.wire.message import Direction
from tests.support.framing import chopped, fed

OUT, BACK = Direction.TO_BROKER, Direction.FROM_BROKER
GREETING = b"AMQP\x00\x00\x09\x01"
HEARTBEAT = b"\x08\x00\x00\x00\x00\x00\x00\xce"


def frame(kind, channel, payload):
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + b"\xce"


def method(channel, major, minor, arguments=b""):
    return frame(1, channel, struct.pack(">HH", major, minor) + arguments)


def short(text):
    return bytes([len(text)]) + text


def content(channel, body, most=131072):
    header = frame(2, channel, struct.pack(">HHQH", 60, 0, len(body), 0))
    return header + b"".join(frame(3, channel, body[at : at + most]) for at in range(0, len(body), most))


def publish(body, channel=1, key=b"celery", most=131072):
    return method(channel, 60, 40, b"\0\0" + short(b"") + short(key) + b"\0") + content(channel, body, most)


def deliver(tag, body=b"{}", channel=1):
    arguments = short(b"consumer") + struct.pack(">Q", tag) + b"\0" + short(b"") + short(b"celery")
    return method(channel, 60, 60, arguments) + content(channel, body)


def settle(minor, tag, bits=0, channel=1):
    return method(channel, 60, minor, struct.pack(">QB", tag, bits))


def ack(tag, multiple=False, channel=1):
    return settle(80, tag, int(multiple), channel)


CONFIRM = method(1, 85, 10, b"\0")
sent = st.lists(
    st.one_of(
        st.builds(publish, st.binary(max_size=300), st.integers(1, 3), st.just(b"q"), st.integers(20, 80)),
        st.builds(ack, st.integers(1, 2**40), st.booleans(), st.integers(1, 3)),
        st.just(HEARTBEAT),
        st.just(method(1, 20, 10, b"\0")),
    ),
    max_size=8,
)


@given(sent, st.data())
def test_messages_are_the_same_however_the_stream_is_chopped(messages, data):
    expected = [GREETING, *messages]
    framing = Amqp()
    found, passed = fed(framing, OUT, data.draw(chopped(b"".join(expected))))
    assert passed == b"".join(expected) and not framing.lost
    assert [message.raw for message in found] == expected


@given(st.lists(st.builds(deliver, st.integers(1, 99), st.binary(max_size=90)), max_size=5), st.data())
def test_deliveries_are_the_same_however_the_stream_is_chopped(messages, data):
    framing = Amqp()
    found, passed = fed(framing, BACK, data.draw(chopped(b"".join(messages))))
    assert passed == b"".join(messages) and [message.raw for message in found] == messages


@given(sent, st.binary(max_size=200), st.data())
def test_garbage_ends_framing_and_loses_no_byte(messages, garbage, data):
    stream = b"".join(messages) + garbage
    for direction in Direction:
        _, passed = fed(Amqp(), direction, data.draw(chopped(stream)))
        assert passed == stream


@pytest.mark.parametrize(
    ("garbage", "why"),
    [
        (b"*1\r\n$4\r\nPING\r\n", "a frame begins with"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01", "a frame begins with"),
        (frame(1, 1, b"\0\x3c\0\x50" + b"\0" * 9)[:-1] + b"\0", "does not end with 0xCE"),
        (method(1, 60, 99), "no method 60.99"),
        (frame(3, 1, b"x"), "without its header"),
    ],
)
def test_why_it_is_no_amqp_is_said(garbage, why):
    framing = Amqp()
    framing.feed(OUT, garbage)
    assert why in framing.lost and framing.rest(OUT) == garbage


def test_acknowledgement_and_delivery_have_a_token_in_common():
    framing = Amqp()
    first, second = framing.feed(BACK, deliver(1) + deliver(2))
    (settled,) = framing.feed(OUT, ack(2))
    assert settled.command == "basic.ack" and settled.tokens == second.tokens != first.tokens


def test_acknowledgement_of_several_has_the_tokens_of_all_that_are_open():
    framing = Amqp()
    found = framing.feed(BACK, deliver(1) + deliver(2) + deliver(3))
    framing.feed(OUT, ack(1))
    (settled,) = framing.feed(OUT, ack(0, multiple=True))
    assert settled.tokens == found[1].tokens + found[2].tokens


def test_contents_of_two_channels_that_are_interleaved_are_one_message():
    one, two = publish(b"a", channel=1), publish(b"b", channel=2)
    cut = len(one) - len(frame(3, 1, b"a"))
    tangled = one[:cut] + two + one[cut:]
    (message,) = Amqp().feed(OUT, tangled)
    assert message.raw == tangled and (message.command, message.also) == ("basic.publish", ("basic.publish",))


def test_answer_of_a_method_names_what_it_answers():
    framing = Amqp()
    framing.feed(OUT, method(1, 50, 10) + method(1, 60, 20))
    (answer,) = framing.feed(BACK, method(1, 60, 21, short(b"tag")))
    assert (answer.of, answer.also) == (2, ("basic.consume",))


def confirmed(framing, tag, multiple=False):
    (message,) = framing.feed(BACK, ack(tag, multiple))
    return struct.unpack_from(">Q", message.raw, 11)[0], message


def test_confirmation_names_the_publish_that_it_confirms():
    framing = Amqp()
    *_, second = framing.feed(OUT, CONFIRM + publish(b"a") + publish(b"b"))
    tag, message = confirmed(framing, 2)
    assert (tag, message.of, message.raw) == (2, second.number, ack(2)) and message.tokens == second.tokens


def test_confirmations_after_a_repeated_publish_are_renumbered():
    framing = Amqp()
    _, first = framing.feed(OUT, CONFIRM + publish(b"a"))
    again, hidden = framing.repeat(first)
    (second,) = framing.feed(OUT, publish(b"b"))
    assert again == first.raw and confirmed(framing, 1)[1].of == first.number
    assert confirmed(framing, 2)[1].of in hidden
    assert (confirmed(framing, 3)[0], confirmed(framing, 3)[1].of) == (2, second.number)
    tag, message = confirmed(framing, 2, multiple=True)
    assert tag == 1 and message.of not in hidden


def test_confirmations_after_a_lost_publish_are_renumbered():
    framing = Amqp()
    _, first = framing.feed(OUT, CONFIRM + publish(b"a"))
    assert framing.withdraw(first) == (b"", ())
    (second,) = framing.feed(OUT, publish(b"b"))
    tag, message = confirmed(framing, 1)
    assert (tag, message.of) == (2, second.number)


def test_messages_are_described():
    framing = Amqp()
    found = framing.feed(OUT, publish(b"x") + ack(5, multiple=True) + HEARTBEAT) + framing.feed(BACK, deliver(7))
    assert [framing.describe(message) for message in found] == [
        "basic.publish to exchange '' key 'celery'", "basic.ack up to 5", "heartbeat",
        "basic.deliver 7 from exchange '' key 'celery'",
    ]  # fmt: skip
