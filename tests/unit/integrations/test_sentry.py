"""What is read from an envelope."""

import gzip
import json

import pytest

from jobharness.integrations.inbox import Post
from jobharness.integrations.sentry import reports_in

EVENT = {
    "exception": {"values": [{"type": "KeyError", "value": "inner"}, {"type": "ValueError", "value": "no"}]},
    "tags": {"celery_task_id": "id-1"},
    "extra": {"celery-job": {"task_name": "shop.charge"}},
}


def post(*items, encode=lambda body: body, encoding=""):
    lines = [b"{}"]
    for header, payload in items:
        lines += [json.dumps(header).encode(), payload]
    return Post("/api/1/envelope/", {"content-encoding": encoding}, encode(b"\n".join(lines) + b"\n"))


def read(one):
    return [(notice.job, notice.task, notice.text) for notice in reports_in(one)]


def test_the_last_exception_of_a_chain_is_what_ended_the_job():
    assert read(post(({"type": "event"}, json.dumps(EVENT).encode()))) == [("id-1", "shop.charge", "ValueError: no")]


def test_compressed_envelopes_are_read_and_other_items_passed_over():
    attachment = b"line one\nline two"
    body = json.dumps(EVENT).encode()
    items = [
        ({"type": "session"}, b"{}"),
        ({"type": "attachment", "length": len(attachment)}, attachment),
        ({"type": "event", "length": len(body)}, body),
    ]
    assert len(read(post(*items, encode=gzip.compress, encoding="gzip"))) == 1


@pytest.mark.parametrize(
    ("said", "job", "task"),
    [
        ({"extra": {"rq-job": {"job_id": "r", "func": "shop.charge"}}}, "r", "shop.charge"),
        ({"tags": {"huey_task_id": "h"}, "extra": {"huey-job": {"task": "charge"}}}, "h", "charge"),
        ({"extra": {"dramatiq_message_id": "d"}, "transaction": "charge"}, "d", "charge"),
        ({"tags": [["arq_task_id", "a"]], "extra": {"arq-job": {"task": "charge"}}}, "a", "charge"),
        ({"message": "a crash of no job"}, "", ""),
    ],
)
def test_each_integration_says_in_its_own_place_which_job_it_was(said, job, task):
    assert read(post(({"type": "event"}, json.dumps(said).encode())))[0][:2] == (job, task)


@pytest.mark.parametrize("body", [b"", b"not an envelope", b"{}\n{\n{", b'{}\n{"type": "event"}\nnot json'])
def test_what_is_no_envelope_holds_no_report(body):
    assert read(Post("/", {}, body)) == []
    assert read(Post("/", {"content-encoding": "gzip"}, body)) == []
