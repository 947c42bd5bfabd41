"""HTTP/1.1 is cut into whole requests and answers, whatever pieces they arrive in, and never changed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobharness.wire.http import Http
from jobharness.wire.message import Direction
from tests.support.framing import chopped, fed

OUT, BACK = Direction.TO_BROKER, Direction.FROM_BROKER


def request(method=b"POST", target=b"/charges", body=b""):
    return b"%s %s HTTP/1.1\r\nHost: api\r\nContent-Length: %d\r\n\r\n%s" % (method, target, len(body), body)


def answer(status=b"200 OK", body=b"{}"):
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
requests = st.lists(st.builds(request, st.sampled_from([b"POST", b"PUT", b"GET"]), body=st.binary(max_size=80)), max_size=4)
answers = st.lists(st.one_of(st.builds(answer, body=st.binary(max_size=80)), st.just(CHUNKED)), max_size=4)


@given(requests.flatmap(lambda sent: st.tuples(st.just(sent), chopped(b"".join(sent)))))
def test_requests_are_whole_and_nothing_is_changed(case):
    sent, pieces = case
    messages, passed = fed(Http(), OUT, pieces)
    assert [message.raw for message in messages] == sent
    assert [message.number for message in messages] == list(range(1, len(sent) + 1))
    assert passed == b"".join(sent)


@given(answers.flatmap(lambda sent: st.tuples(st.just(sent), chopped(b"".join(sent)))))
def test_answers_are_whole_and_belong_to_their_requests(case):
    sent, pieces = case
    framing = Http()
    framing.feed(OUT, request() * len(sent))
    messages, passed = fed(framing, BACK, pieces)
    assert [message.raw for message in messages] == sent
    assert [message.of for message in messages] == list(range(1, len(sent) + 1))
    assert passed == b"".join(sent)


def test_answer_without_a_length_is_passed_on_as_it_comes():
    framing = Http()
    framing.feed(OUT, request())
    head = b"HTTP/1.0 200 OK\r\n\r\n"
    found = [message.raw for piece in (head, b"abc", b"def") for message in framing.feed(BACK, piece)]
    assert (found, framing.lost) == ([head, b"abc", b"def"], "")


def test_answer_to_head_has_no_body_whatever_length_it_names():
    framing = Http()
    framing.feed(OUT, request(b"HEAD") + request(b"GET"))
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"
    assert [message.command for message in framing.feed(BACK, head + answer())] == ["HEAD", "GET"]


def test_messages_are_described_by_method_and_path_and_by_status():
    framing = Http()
    (asked,) = framing.feed(OUT, request(target=b"/charges?now=1"))
    (told,) = framing.feed(BACK, answer(b"402 Payment Required"))
    assert (framing.describe(asked), framing.describe(told)) == ("POST /charges?now=1", "402 to POST")
    assert told.context == asked.raw


@pytest.mark.parametrize(
    ("sent", "back", "why"),
    [
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"", "no HTTP/1.1"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"", "no HTTP/1.1"),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", b"", "tunnel"),
        (b"PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n", b"", "100 Continue"),
        (request(b"GET"), b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n", "another protocol"),
        (b"", b"hello", "nothing was asked"),
    ],
)
def test_what_it_cannot_follow_is_said_and_nothing_is_held_back(sent, back, why):
    framing = Http()
    for direction, data in ((OUT, sent), (BACK, back)):
        if data and not framing.lost:
            _, passed = fed(framing, direction, [data])
            assert passed == data
    assert why in framing.lost


def test_repeated_request_is_answered_twice_and_withdrawn_one_never():
    framing = Http()
    (asked,) = framing.feed(OUT, request())
    assert framing.repeat(asked) == (asked.raw, (2,))
    assert [message.of for message in framing.feed(BACK, answer() + answer())] == [1, 2]
    (lost, _) = framing.feed(OUT, request() * 2)
    assert framing.withdraw(lost) == (b"", ())
    assert [message.of for message in framing.feed(BACK, answer())] == [4]
