"""RESP is cut into whole messages, whatever pieces it arrives in, and never changed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobharness.wire.message import Direction
from jobharness.wire.resp import Resp
from tests.support.framing import chopped, fed

OUT, BACK = Direction.TO_BROKER, Direction.FROM_BROKER


def command(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def commands_of(framing, data):
    return [(message.command, message.raw) for message in framing.feed(OUT, data)]


names = st.sampled_from([b"SET", b"get", b"LPUSH", b"BRPOP", b"EVALSHA", b"XADD"])
arguments = st.lists(st.binary(max_size=60), max_size=5)
whole_commands = st.builds(lambda name, rest: command(name, *rest), names, arguments)
inlines = st.sampled_from([b"PING\r\n", b"EXISTS some:key\r\n", b"\r\n", b"get  a\n"])
simple = st.one_of(
    st.sampled_from(
        [b"+OK\r\n", b"-ERR no\r\n", b":-12\r\n", b"$-1\r\n", b"*-1\r\n", b"_\r\n", b"#t\r\n", b",3.14\r\n", b"(12345678901\r\n"]
    ),
    st.binary(max_size=60).map(lambda text: b"$%d\r\n%s\r\n" % (len(text), text)),
    st.binary(max_size=20).map(lambda text: b"=%d\r\ntxt:%s\r\n" % (len(text) + 4, text)),
)
replies = st.recursive(
    simple,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(b"*~"), st.lists(inner, max_size=4)).map(
            lambda p: b"%c%d\r\n" % (p[0], len(p[1])) + b"".join(p[1])
        ),
        st.lists(st.tuples(inner, inner), max_size=3).map(lambda p: b"%%%d\r\n" % len(p) + b"".join(a + b for a, b in p)),
        st.tuples(inner, inner, inner).map(lambda p: b"|1\r\n" + b"".join(p)),
    ),
    max_leaves=12,
)


@given(st.lists(whole_commands | inlines, max_size=8), st.data())
def test_commands_are_the_same_however_the_stream_is_chopped(sent, data):
    stream = b"".join(sent)
    framing = Resp()
    messages, passed = fed(framing, OUT, data.draw(chopped(stream)))
    assert passed == stream and not framing.lost
    assert [message.raw for message in messages] == sent


@given(st.lists(replies, max_size=8), st.data())
def test_replies_are_the_same_however_the_stream_is_chopped(sent, data):
    framing = Resp()
    for number in range(len(sent)):
        framing.feed(OUT, command(b"GET", b"%d" % number))
    messages, passed = fed(framing, BACK, data.draw(chopped(b"".join(sent))))
    assert passed == b"".join(sent) and not framing.lost
    assert [message.raw for message in messages] == sent
    assert [message.of for message in messages] == list(range(1, len(sent) + 1))


@given(st.lists(whole_commands, max_size=3), st.binary(max_size=200), st.data())
def test_garbage_ends_framing_and_loses_no_byte(sent, garbage, data):
    stream = b"".join(sent) + garbage
    _, passed = fed(Resp(), OUT, data.draw(chopped(stream)))
    assert passed == stream
    _, passed = fed(Resp(), BACK, data.draw(chopped(stream)))
    assert passed == stream


@pytest.mark.parametrize(
    ("garbage", "why"),
    [
        (b"\x16\x03\x01\x02\x00\x01\n", "begins with"),  # TLS
        (b"*2\r\nhello\r\n", "argument begins with b'h'"),
        (b"*x\r\n", "length reads b'x'"),
        (b"*1\r\n$99999999999999\r\n", "more than any server takes"),
        (b"P" * 70000, "longer than"),
    ],
)
def test_why_it_is_no_resp_is_said(garbage, why):
    framing = Resp()
    framing.feed(OUT, garbage)
    assert why in framing.lost and framing.rest(OUT) == garbage


def test_reply_is_named_by_the_command_that_it_answers():
    framing = Resp()
    framing.feed(OUT, command(b"brpop", b"celery", b"1") + command(b"PING"))
    first, second = framing.feed(BACK, b"*2\r\n$6\r\ncelery\r\n$2\r\n{}\r\n+PONG\r\n")
    assert (first.command, first.of, second.command, second.of) == ("BRPOP", 1, "PING", 2)
    assert framing.describe(first) == "reply to BRPOP: celery {}"


def test_commit_of_a_transaction_knows_what_it_commits():
    framing = Resp()
    *_, commit = framing.feed(OUT, command(b"MULTI") + command(b"ZREM", b"index", b"tag") + command(b"EXEC"))
    assert commit.command == "EXEC" and commit.also == ("ZREM",) and b"tag" in commit.context


def test_pushed_messages_answer_no_command():
    framing = Resp()
    framing.feed(OUT, command(b"SUBSCRIBE", b"news") + command(b"PING"))
    subscribed, message, pong = framing.feed(
        BACK,
        b"*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n" + b"*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$2\r\nhi\r\n" + b"+PONG\r\n",
    )
    assert (subscribed.of, message.of, message.command, pong.command) == (0, 0, "message", "PING")
    (invalidation,) = framing.feed(BACK, b">2\r\n$10\r\ninvalidate\r\n*-1\r\n")
    assert invalidation.command == "invalidate"


def test_client_that_wants_no_replies_gets_none():
    framing = Resp()
    framing.feed(OUT, command(b"CLIENT", b"REPLY", b"SKIP") + command(b"SET", b"a", b"1") + command(b"GET", b"a"))
    (reply,) = framing.feed(BACK, b"$1\r\n1\r\n")
    assert reply.command == "GET"
    framing.feed(OUT, command(b"CLIENT", b"REPLY", b"OFF") + command(b"GET", b"b") + command(b"CLIENT", b"REPLY", b"ON"))
    (reply,) = framing.feed(BACK, b"+OK\r\n")
    assert reply.command == "CLIENT"


def test_repeated_command_has_a_reply_of_its_own():
    framing = Resp()
    first, _ = framing.feed(OUT, command(b"LPUSH", b"q", b"x") + command(b"LLEN", b"q"))
    again, hidden = framing.repeat(first)
    assert again == first.raw
    answers = framing.feed(BACK, b":1\r\n:2\r\n:2\r\n")
    assert [message.of for message in answers if message.of not in hidden] == [1, 2]


def test_repeated_transaction_hides_all_its_replies():
    framing = Resp()
    *_, commit = framing.feed(OUT, command(b"MULTI") + command(b"LPUSH", b"q", b"x") + command(b"EXEC"))
    again, hidden = framing.repeat(commit)
    assert again == command(b"MULTI") + command(b"LPUSH", b"q", b"x") + command(b"EXEC")
    answers = framing.feed(BACK, (b"+OK\r\n+QUEUED\r\n*1\r\n:1\r\n") * 2)
    assert [message.of for message in answers if message.of not in hidden] == [1, 2, 3]


def test_withdrawn_command_is_not_waited_for():
    framing = Resp()
    first, _ = framing.feed(OUT, command(b"LPUSH", b"q", b"x") + command(b"LLEN", b"q"))
    assert framing.withdraw(first) == (b"", ())
    (reply,) = framing.feed(BACK, b":0\r\n")
    assert reply.command == "LLEN"


def test_withdrawn_commit_makes_the_server_leave_its_transaction():
    framing = Resp()
    *_, commit = framing.feed(OUT, command(b"MULTI") + command(b"EXEC"))
    instead, hidden = framing.withdraw(commit)
    assert instead == command(b"DISCARD") and hidden == (commit.number,)


def test_secrets_are_not_described():
    framing = Resp()
    (message,) = framing.feed(OUT, command(b"AUTH", b"user", b"hunter2"))
    assert framing.describe(message) == "AUTH ***"
