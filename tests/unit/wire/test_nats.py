"""The NATS protocol is cut into whole messages, whatever pieces it arrives in, and never changed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobharness.wire.message import Direction
from jobharness.wire.nats import Nats
from tests.support.framing import chopped, fed

OUT, BACK = Direction.TO_BROKER, Direction.FROM_BROKER
ACK = b"$JS.ACK.jobs.worker.1.12.3.1700000000000000000.0"


def pub(subject, payload=b"", reply=b""):
    return b"PUB %s %s%d\r\n%s\r\n" % (subject, reply + b" " if reply else b"", len(payload), payload)


def hpub(subject, payload=b"", headers=b"NATS/1.0\r\nA: b\r\n\r\n"):
    return b"HPUB %s %d %d\r\n%s%s\r\n" % (subject, len(headers), len(headers) + len(payload), headers, payload)


def msg(subject, payload=b"", reply=b""):
    return b"MSG %s 7 %s%d\r\n%s\r\n" % (subject, reply + b" " if reply else b"", len(payload), payload)


sent = st.lists(
    st.one_of(
        st.builds(pub, st.just(b"jobs"), st.binary(max_size=200), st.sampled_from([b"", b"_INBOX.a"])),
        st.builds(hpub, st.just(b"jobs"), st.binary(max_size=50)),
        st.sampled_from(
            [b"PING\r\n", b"pong\r\n", b'CONNECT {"verbose": false, "name": "a b"}\r\n', b"SUB jobs 1\r\n", b"UNSUB 1\r\n"]
        ),
    ),
    max_size=8,
)
received = st.lists(
    st.one_of(
        st.builds(msg, st.just(b"jobs"), st.binary(max_size=200), st.sampled_from([b"", ACK])),
        st.sampled_from([b'INFO {"server_id":"x"}\r\n', b"PING\r\n", b"+OK\r\n", b"-ERR 'Unknown Protocol'\r\n"]),
    ),
    max_size=8,
)


@given(sent, received, st.data())
def test_messages_are_the_same_however_the_stream_is_chopped(out, back, data):
    framing = Nats()
    for direction, messages in ((OUT, out), (BACK, back)):
        found, passed = fed(framing, direction, data.draw(chopped(b"".join(messages))))
        assert passed == b"".join(messages) and not framing.lost
        assert [message.raw for message in found] == messages


@given(sent, st.binary(max_size=200), st.data())
def test_garbage_ends_framing_and_loses_no_byte(out, garbage, data):
    stream = b"".join(out) + garbage
    for direction in Direction:
        _, passed = fed(Nats(), direction, data.draw(chopped(stream)))
        assert passed == stream


@pytest.mark.parametrize(
    ("garbage", "why"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", "begins with"),
        (b"GET / HTTP/1.1\r\n", "begins with"),
        (b"PUB jobs many\r\n", "reads"),
        (b"PUB jobs 2\r\nabcd\r\n", "does not end"),
    ],
)
def test_why_it_is_no_nats_is_said(garbage, why):
    framing = Nats()
    framing.feed(OUT, garbage)
    assert why in framing.lost and framing.rest(OUT) == garbage


@pytest.mark.parametrize(
    ("payload", "name"), [(b"+ACK", "ack"), (b"", "ack"), (b"-NAK", "nak"), (b'-NAK {"delay": 5}', "nak"), (b"+WPI", "progress"), (b"+TERM", "term")]
)  # fmt: skip
def test_acknowledgement_is_named_by_what_it_says(payload, name):
    (message,) = Nats().feed(OUT, pub(ACK, payload))
    assert (message.command, message.tokens) == (name, (ACK,))


def test_answer_names_the_request():
    framing = Nats()
    fetch, _ = framing.feed(OUT, pub(b"$JS.API.CONSUMER.MSG.NEXT.jobs.worker", b"1", b"_INBOX.x.1") + b"PING\r\n")
    answer, pong = framing.feed(BACK, msg(b"_INBOX.x.1", b"{}", ACK) + b"PONG\r\n")
    assert fetch.command == "fetch" and (answer.of, answer.also[0]) == (1, "fetch")
    assert (pong.of, pong.also) == (2, ("PING",))


def test_secrets_are_not_described():
    framing = Nats()
    (message,) = framing.feed(OUT, b'CONNECT {"auth_token": "hunter2"}\r\n')
    assert framing.describe(message) == "CONNECT ***"
