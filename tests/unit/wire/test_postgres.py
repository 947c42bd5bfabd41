"""PostgreSQL's protocol is cut into whole messages, whatever pieces it arrives in, and never changed."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobharness.wire.message import Direction
from jobharness.wire.postgres import Postgres
from jobharness.wire.signature import signature
from tests.support.framing import chopped, fed

OUT, BACK = Direction.TO_BROKER, Direction.FROM_BROKER


def typed(kind, body=b""):
    return kind + struct.pack(">I", len(body) + 4) + body


def startup(code=196608, body=b"user\0app\0\0"):
    return struct.pack(">II", len(body) + 8, code) + body


def query(sql):
    return typed(b"Q", sql + b"\0")


def parse(sql, name=b""):
    return typed(b"P", name + b"\0" + sql + b"\0\0\0")


def bind(*values, name=b""):
    body = b"\0" + name + b"\0\0\0" + struct.pack(">h", len(values))
    return typed(b"B", body + b"".join(struct.pack(">i", len(value)) + value for value in values) + b"\0\0")


EXECUTE, DESCRIBE, SYNC, FLUSH = typed(b"E", b"\0\0\0\0\0"), typed(b"D", b"S\0"), typed(b"S"), typed(b"H")
READY = typed(b"Z", b"I")
DONE = typed(b"C", b"UPDATE 1\0")
ENCRYPT = startup(80877103, b"")


def row(*values):
    return typed(b"D", struct.pack(">h", len(values)) + b"".join(struct.pack(">i", len(v)) + v for v in values))


def started():
    framing = Postgres()
    framing.feed(OUT, startup())
    return framing


sql = st.sampled_from([b"BEGIN", b"SELECT 1", b"UPDATE jobs SET a = 'x;y'", b"COMMIT", b"", b"-- note\nDELETE FROM jobs"])
whole = st.one_of(
    st.builds(query, sql),
    st.builds(lambda text, values: parse(text) + bind(*values) + DESCRIBE + EXECUTE + SYNC, sql, st.lists(st.binary(max_size=40), max_size=3)),
    st.builds(lambda text: parse(text, b"s1") + DESCRIBE + FLUSH, sql),
    st.just(SYNC),
    st.builds(lambda data: typed(b"d", data), st.binary(max_size=100)),
    st.just(typed(b"c")),
    st.just(typed(b"X")),
)  # fmt: skip
replies = st.sampled_from(
    [READY, DONE, row(b"1", b"x" * 50), typed(b"1"), typed(b"2"), typed(b"n"), typed(b"E", b"SERROR\0\0"), typed(b"T", b"\0\0")]
)


@given(st.lists(whole, max_size=6), st.data())
def test_messages_are_the_same_however_the_stream_is_chopped(messages, data):
    expected = [startup(), *messages]
    found, passed = fed(framing := Postgres(), OUT, data.draw(chopped(b"".join(expected))))
    assert passed == b"".join(expected) and not framing.lost
    assert [message.raw for message in found] == expected


@given(st.lists(whole, max_size=4), st.lists(replies, max_size=12), st.data())
def test_replies_are_the_same_however_the_stream_is_chopped(asked, answers, data):
    framing = started()
    framing.feed(OUT, b"".join(asked))
    found, passed = fed(framing, BACK, data.draw(chopped(b"".join(answers))))
    assert passed == b"".join(answers) and [message.raw for message in found] == answers


@given(st.lists(whole, max_size=3), st.binary(max_size=200), st.data())
def test_garbage_ends_framing_and_loses_no_byte(messages, garbage, data):
    stream = startup() + b"".join(messages) + garbage
    for direction in Direction:
        _, passed = fed(Postgres(), direction, data.draw(chopped(stream)))
        assert passed == stream


def test_connection_that_is_encrypted_is_given_up_and_passed_on():
    framing = Postgres()
    framing.feed(OUT, ENCRYPT)
    framing.feed(BACK, b"S")
    assert "encrypted" in framing.lost and framing.rest(BACK) == b"S"


def test_connection_whose_wish_for_encryption_is_refused_goes_on():
    framing = Postgres()
    (wish,) = framing.feed(OUT, ENCRYPT)
    (no,) = framing.feed(BACK, b"N")
    (begin,) = framing.feed(OUT, startup())
    assert (wish.command, no.raw, begin.command, framing.lost) == ("SSLRequest", b"N", "Startup", "")


@pytest.mark.parametrize("garbage", [b"*1\r\n$4\r\nPING\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01"])
def test_why_it_is_no_postgres_is_said(garbage):
    framing = Postgres()
    framing.feed(OUT, garbage)
    assert "a connection begins with" in framing.lost and framing.rest(OUT) == garbage


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        (query(b"COMMIT;"), "COMMIT"),
        (query(b"/* why */ -- and\n update jobs set a = 1"), "UPDATE"),
        (parse(b"COMMIT") + bind() + EXECUTE + SYNC, "COMMIT"),
        (parse(b"SELECT 1", b"s1") + DESCRIBE + FLUSH, "PREPARE"),
        (SYNC, "Sync"),
    ],
)
def test_message_is_named_by_the_sql_that_it_runs(sent, name):
    (message,) = started().feed(OUT, sent)
    assert message.command == name


def test_statement_that_was_parsed_before_is_known_when_it_runs():
    """asyncpg sends Parse, Describe, Flush first; Bind, Execute, Sync name the statement only."""
    framing = started()
    prepare, run = framing.feed(
        OUT, parse(b"UPDATE jobs SET done = $1", b"s1") + DESCRIBE + FLUSH + bind(b"7", name=b"s1") + EXECUTE + SYNC
    )
    assert (prepare.command, run.command) == ("PREPARE", "UPDATE") and b"SET done" in run.context
    assert framing.values(run) == [b"7"]
    answers = framing.feed(BACK, typed(b"1") + typed(b"t", b"\0\0") + typed(b"n") + typed(b"2") + DONE + READY)
    assert [answer.of for answer in answers] == [prepare.number] * 3 + [run.number] * 3


def test_commit_knows_what_it_commits():
    framing = started()
    *_, commit = framing.feed(OUT, query(b"BEGIN") + query(b"UPDATE jobs SET a = 'job-17'") + query(b"COMMIT"))
    assert b"job-17" in commit.context


def test_reply_has_the_name_of_its_command_and_its_own():
    framing = started()
    framing.feed(OUT, query(b"SELECT id FROM jobs"))
    found, ready = framing.feed(BACK, row(b"17") + READY)
    assert (found.command, found.also[0], framing.values(found), ready.also[0]) == ("SELECT", "DataRow", [b"17"], "ReadyForQuery")


def test_what_the_server_says_unasked_answers_nothing():
    framing = started()
    framing.feed(OUT, query(b"SELECT 1"))
    (notification,) = framing.feed(BACK, typed(b"A", b"\0\0\0\1jobs\0\0"))
    assert (notification.command, notification.of) == ("Notification", 0)


def test_error_ends_all_that_was_asked_up_to_the_sync():
    framing = started()
    framing.feed(OUT, parse(b"SELECT 1", b"a") + FLUSH + parse(b"SELECT 2", b"b") + FLUSH + SYNC + query(b"SELECT 3"))
    error, ready, done = framing.feed(BACK, typed(b"E", b"\0") + READY + DONE)
    assert (error.of, ready.command, done.command) == (2, "Sync", "SELECT")


def test_repeated_query_has_replies_of_its_own():
    framing = started()
    insert, other = framing.feed(OUT, query(b"INSERT INTO jobs VALUES (1)") + query(b"SELECT 1"))
    again, hidden = framing.repeat(insert)
    answers = framing.feed(BACK, (DONE + READY) * 2 + row(b"1") + READY)
    assert again == insert.raw
    assert [answer.of for answer in answers if answer.of not in hidden] == [2, 2, other.number, other.number]


def test_withdrawn_commit_makes_the_server_leave_its_transaction():
    framing = started()
    _, commit = framing.feed(OUT, query(b"BEGIN") + query(b"COMMIT"))
    instead, hidden = framing.withdraw(commit)
    assert instead == query(b"ROLLBACK") and hidden == (commit.number,)


def test_same_statement_is_described_alike_whatever_the_bytes_of_its_values_and_prepared_or_not():
    """In binary form an id may look like a letter."""
    sql = b"SELECT done($1)"
    framing = started()
    at_once = framing.feed(OUT, b"".join(parse(sql) + bind(value) + EXECUTE + SYNC for value in (b"\0\0\1q", b"\0\0\1r")))
    _, prepared = framing.feed(OUT, parse(sql, b"s1") + FLUSH + bind(b"\0\0\1s", name=b"s1") + EXECUTE + SYNC)
    described = [signature(message, framing.describe(message)) for message in (*at_once, prepared)]
    assert described == ["SELECT: SELECT done(#) #"] * 3


@pytest.mark.parametrize("sql", [b"SELECT done($1)", b"SELECT job FROM jobs ORDER BY due"])
def test_commit_is_described_alike_whether_its_statements_were_prepared_or_not(sql):
    framing = started()
    run = EXECUTE + SYNC
    *_, first = framing.feed(OUT, query(b"BEGIN") + parse(sql) + bind(b"well") + run + query(b"COMMIT"))
    framing.feed(OUT, parse(sql, b"s1") + FLUSH)
    *_, second = framing.feed(OUT, query(b"BEGIN") + bind(b"well", name=b"s1") + run + query(b"COMMIT"))
    assert signature(first, framing.describe(first)) == signature(second, framing.describe(second))


def test_passwords_are_not_described():
    framing = started()
    (message,) = framing.feed(OUT, typed(b"p", b"hunter2\0"))
    assert framing.describe(message) == "Password"
