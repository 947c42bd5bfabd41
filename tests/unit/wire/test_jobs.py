"""Whose job a message is about."""

import base64
import uuid

import pytest

from jobharness.agent.record import key_of
from jobharness.wire.jobs import Jobs
from jobharness.wire.message import Direction, Message

ONE, TWO, TAG, OTHER = (str(uuid.UUID(int=number)) for number in (1, 2, 3, 4))


@pytest.fixture
def jobs():
    """`jobs(*ids)`: a book in which these jobs were enqueued, in this order; those of `by_workers` not by the workload."""

    def make(*ids, by_workers=()):
        waiting = [(key_of(job_id), "" if len(job_id) == 36 else job_id, job_id not in by_workers) for job_id in ids]

        def enqueued():
            new, waiting[:] = list(waiting), []
            return new

        return Jobs(enqueued)

    return make


def names(book, raw, context=b"", tokens=(), values=(), scope=b""):
    message = Message(Direction.TO_BROKER, "X", raw.encode() if isinstance(raw, str) else raw, context=context, tokens=tokens)
    return [job.name for job in book.of(message, lambda: values, scope)]


def test_job_is_found_by_its_id_with_dashes_and_without(jobs):
    book = jobs(ONE, TWO)
    assert names(book, f"LPUSH {TWO}") == [TWO]
    assert names(book, f"LPUSH {TWO.replace('-', '')}") == [TWO]
    assert names(book, f"{TWO} and {ONE}") == [TWO, ONE]
    assert names(book, f"LPUSH {OTHER}") == []


def test_jobs_are_numbered_in_the_order_of_enqueuing(jobs):
    book = jobs(TWO, ONE)
    (job,) = book.of(Message(Direction.TO_BROKER, "X", ONE.encode()), tuple)
    assert (job.number, job.key) == (2, key_of(ONE))


def test_what_workers_and_schedulers_enqueue_has_no_number_and_takes_none(jobs):
    book = jobs(OTHER, TWO, ONE, by_workers=[OTHER])
    numbers = {
        job_id: [job.number for job in book.of(Message(Direction.TO_BROKER, "X", job_id.encode()), tuple)]
        for job_id in (OTHER, TWO, ONE)
    }
    assert numbers == {OTHER: [0], TWO: [1], ONE: [2]}


def test_workload_s_job_is_awaited_and_searched_for_in_base64_however_many_ticks_came_before(jobs):
    ticks = [str(uuid.UUID(int=number)) for number in range(100, 120)]
    book = jobs(*ticks, by_workers=ticks)
    book.learn()
    assert book.sent == 0
    book = jobs(*ticks, ONE, by_workers=ticks)
    assert names(book, base64.b64encode(ONE.replace("-", "").encode())) == [ONE]
    assert book.sent == 1


def test_name_that_was_seen_with_a_job_stands_for_it(jobs):
    book = jobs(ONE, TWO)
    names(book, f"BRPOP {ONE} {TAG}")
    assert names(book, f"HDEL unacked {TAG}") == [ONE]


def test_name_that_was_seen_with_two_jobs_stands_for_none(jobs):
    book = jobs(ONE, TWO)
    names(book, f"{ONE} {TAG}")
    names(book, f"{TWO} {TAG}")
    assert names(book, f"HDEL unacked {TAG}") == []


def test_name_that_a_worker_gave_before_there_was_a_job_stands_for_none(jobs):
    """As Dramatiq's workers name themselves, when they ask for messages and when they send a delayed one to its queue."""
    book = jobs(ONE)
    assert names(book, f"fetch {OTHER}") == []
    assert names(book, f"enqueue {OTHER} {ONE} {TAG}") == [ONE]
    assert names(book, f"fetch {OTHER}") == []
    assert names(book, f"ack {OTHER} {TAG}") == [ONE]


def test_protocols_own_token_holds_within_its_connection(jobs):
    book = jobs(ONE)
    names(book, ONE, tokens=(b"delivery 1 5",), scope=b"3 ")
    assert names(book, "ack", tokens=(b"delivery 1 5",), scope=b"3 ") == [ONE]
    assert names(book, "ack", tokens=(b"delivery 1 5",), scope=b"4 ") == []


def test_what_went_before_counts_where_the_message_names_nobody(jobs):
    book = jobs(ONE, TWO)
    assert names(book, "EXEC", context=f"HSET {ONE}".encode()) == [ONE]
    assert names(book, f"EXEC {TWO}", context=f"HSET {ONE}".encode()) == [TWO]


def test_short_id_is_compared_with_whole_values_only(jobs):
    book = jobs("17", "18")
    assert names(book, b"UPDATE jobs 17", values=[b"17"]) == ["17"]
    assert names(book, b"UPDATE jobs 1789", values=[b"1789"]) == []
    assert names(book, b"binary", values=[(18).to_bytes(8, "big")]) == ["18"]
    assert names(book, b"binary", values=[(18).to_bytes(2, "big")]) == ["18"]


def test_id_of_any_other_form_is_searched_for(jobs):
    assert names(jobs("order/2026-11"), "SET order/2026-11 x") == ["order/2026-11"]


@pytest.mark.parametrize("before", [b"", b"a", b"ab", b"abc"])
def test_job_is_found_within_base64_wherever_it_begins_there(jobs, before):
    """As in a signed pickle, which is what Django-Q2 stores."""
    one, two = str(uuid.uuid4()), str(uuid.uuid4())
    pickled = base64.b64encode(before + b"id=" + one.replace("-", "").encode() + b".more").decode()
    assert names(jobs(one, two), f"INSERT {pickled}") == [one]
