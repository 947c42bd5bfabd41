"""What Celery's events add up to."""

from jobharness.queues.celery_events import Heard
from jobharness.workload.trace import Arrival


def _heard(*events):
    heard = Heard()
    for kind, uuid, timestamp, *further in events:
        heard.hear({"type": kind, "uuid": uuid, "timestamp": timestamp, **(further[0] if further else {})})
    return heard


CALL = {"name": "shop.mail", "args": "(1, 'a')", "kwargs": "{'to': 'b'}"}


def test_a_job_arrives_when_it_is_sent_and_ends_as_it_is_told():
    heard = _heard(
        ("task-received", "a", 1.5, CALL), ("task-sent", "a", 1.0, CALL), ("task-started", "a", 1.6), ("task-succeeded", "a", 2.0, {"runtime": 0.4}),
        ("task-received", "b", 3.0, CALL), ("task-started", "b", 3.0), ("task-failed", "b", 3.25),
        ("task-sent", "c", 4.0, CALL), ("task-started", "c", 4.0), ("task-retried", "c", 4.5),
        ("task-sent", "d", 5.0, CALL), ("task-revoked", "d", 5.5),
        ("task-sent", "e", 6.0, CALL),
    )  # fmt: skip
    kept = {"size_bytes": 19, "args": [1, "a"], "kwargs": {"to": "b"}}
    assert heard.arrivals() == [
        Arrival(1_000_000_000, "shop.mail", 0.4, outcome="finished", **kept),
        Arrival(3_000_000_000, "shop.mail", 0.25, outcome="dead", **kept),
        Arrival(4_000_000_000, "shop.mail", 0.5, outcome="failed", **kept),
        Arrival(5_000_000_000, "shop.mail", None, outcome="dead", **kept),
        Arrival(6_000_000_000, "shop.mail", None, outcome="unknown", **kept),
    ]
    assert (heard.events, heard.sent, heard.cut) == (13, 4, 0)


def test_a_job_that_was_there_before_is_no_arrival_and_workers_are_no_jobs():
    heard = _heard(("task-started", "a", 1.0), ("task-succeeded", "a", 2.0, {"runtime": 1.0}))
    heard.hear({"type": "worker-heartbeat", "timestamp": 3.0})
    assert (heard.arrivals(), heard.events) == ([], 2)


def test_arguments_that_were_cut_short_or_are_no_values_are_left_out():
    cut = {"name": "t", "args": "(1, [2, ...", "kwargs": "{}"}
    strange = {"name": "t", "args": "(<object at 0x7f>,)", "kwargs": "{}"}
    heard = _heard(("task-sent", "a", 1.0, cut), ("task-sent", "b", 2.0, strange), ("task-sent", "c", 3.0, {"name": "t"}))
    assert [(one.args, one.size_bytes) for one in heard.arrivals()] == [([], None), ([], 21), ([], 0)]
    assert heard.cut == 2
