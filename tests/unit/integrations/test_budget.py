"""The error budget: what a probe says, what is wrong with it, and for how long it may be."""

import pytest
from pydantic import ValidationError

from jobharness.clock import now_ns
from jobharness.errors import Aborted
from jobharness.history.event import Kind
from jobharness.history.follow import News
from jobharness.integrations import budget
from jobharness.integrations.budget import ErrorBudget, NoReading, read
from jobharness.scenario.safety import ProbeSpec

EXPOSED = """# HELP http_errors_total Errors
# TYPE http_errors_total counter
http_errors_total{path="/a",code="500"} 3
http_errors_total{path="/b",code="500"} 4.0 1700000000
http_errors_total{path="/b",code="404"} 1e2
up 1
"""


@pytest.fixture
def answer(monkeypatch):
    """`answer(status, body)`: what every URL answers; returns the URLs that were asked."""
    asked = []

    def set_answer(status, body=""):
        monkeypatch.setattr(budget, "_get", lambda address: (asked.append(address), (status, body.encode()))[1])
        return asked

    return set_answer


@pytest.mark.parametrize(
    ("probe", "body", "value"),
    [
        ({}, "", 200.0),
        ({"json": "queue.0.age", "max": 10}, '{"queue": [{"age": 3.5}]}', 3.5),
        ({"metric": "up", "min": 1}, EXPOSED, 1.0),
        ({"metric": "http_errors_total", "max": 10}, EXPOSED, 107.0),
        ({"metric": 'http_errors_total{code="500"}', "max": 10}, EXPOSED, 7.0),
        ({"metric": 'http_errors_total{code="500",path="/b"}', "max": 10}, EXPOSED, 4.0),
        (
            {"query": "sum(up)", "min": 1},
            '{"data": {"resultType": "vector", "result": [{"value": [1, "2"]}, {"value": [1, "3"]}]}}',
            5.0,
        ),
        ({"query": "1 + 1", "min": 1}, '{"data": {"resultType": "scalar", "result": [1, "2"]}}', 2.0),
    ],
)
def test_one_number_is_read(answer, probe, body, value):
    answer(200, body)
    assert read(ProbeSpec(name="p", url="http://127.0.0.1/x", **probe), "http://127.0.0.1/x") == value


def test_a_query_is_asked_of_the_server_that_the_url_names(answer):
    asked = answer(200, '{"data": {"resultType": "scalar", "result": [1, "2"]}}')
    read(ProbeSpec(name="p", url="http://127.0.0.1:9090/", query='up{job="a"} > 0', min=1), "http://127.0.0.1:9090/")
    assert asked == ["http://127.0.0.1:9090/api/v1/query?query=up%7Bjob%3D%22a%22%7D%20%3E%200"]


@pytest.mark.parametrize(
    ("probe", "status", "body", "why"),
    [
        ({"json": "age", "max": 1}, 200, "{}", "not with JSON with a number at 'age'"),
        ({"json": "age", "max": 1}, 200, "<html>", "not with JSON"),
        ({"json": "age", "max": 1}, 503, '{"age": 1}', "HTTP 503"),
        ({"metric": "down", "max": 1}, 200, EXPOSED, "it has no metric down"),
        ({"query": "x", "max": 1}, 200, '{"data": {"resultType": "vector", "result": []}}', "the query has no result"),
        ({"query": "x", "max": 1}, 200, '{"status": "error"}', "not with the answer of a Prometheus"),
    ],
)
def test_what_is_no_number_is_told(answer, probe, status, body, why):
    answer(status, body)
    with pytest.raises(NoReading, match=why):
        read(ProbeSpec(name="p", url="http://127.0.0.1/x", **probe), "http://127.0.0.1/x")


def looked(probe, *readings):
    """What a budget notices of readings at these moments (s, value), and why it aborted, if it did."""
    watch, notices = ErrorBudget([probe]), []
    for at_s, value in readings:
        watch._readings.put((probe, budget._Reading(round(at_s * 1e9), value, "it does not answer")))
    try:
        notices.extend(watch.look())
    except Aborted as error:
        return str(error)
    return [(notice.value / 1e6, notice.group) for notice in notices]


def test_a_probe_within_its_range_aborts_nothing():
    assert looked(ProbeSpec(name="p", own="backlog", max=3), (0, 3.0), (1, 0.0)) == [(3.0, ""), (0.0, "")]


def test_a_probe_out_of_its_range_aborts_at_once_where_it_has_no_time():
    said = looked(ProbeSpec(name="checkout", url="http://127.0.0.1/"), (0, 200.0), (1, 503.0))
    assert said == "aborted by the error budget: checkout: 503, allowed is 200 to 299"


def test_a_probe_has_its_time_anew_once_it_was_well():
    probe = ProbeSpec.model_validate({"name": "p", "own": "oldest_job", "max": 5, "for": "2s"})
    assert looked(probe, (0, 6.0), (1.9, 6.0), (2, 5.0), (3, 6.0), (4.9, 6.0))[-1] == (6.0, "6, allowed is at most 5")
    assert looked(probe, (0, 6.0), (2, 6.5)) == "aborted by the error budget: p: 6.5, allowed is at most 5, for 2.0 s"


def test_no_answer_is_out_of_range():
    assert "p: it does not answer" in looked(ProbeSpec(name="p", url="http://127.0.0.1/"), (0, None))


def test_the_run_counts_by_itself():
    watch = ErrorBudget([])
    news = [
        News(now_ns(), kind, key * 16, 0, 1, 1, "", "", "worker-1", "worker")
        for kind, key in (
            (Kind.ENQUEUE_ACKNOWLEDGED, b"a"),
            (Kind.ENQUEUE_ACKNOWLEDGED, b"b"),
            (Kind.ENQUEUE_ACKNOWLEDGED, b"c"),
            (Kind.JOB_RUNNING, b"a"),
            (Kind.JOB_FAILED, b"a"),
            (Kind.JOB_RUNNING, b"b"),
            (Kind.JOB_FINISHED, b"b"),
            (Kind.JOB_DEAD, b"a"),
        )
    ]
    watch.see(news)
    assert (watch._own("backlog"), watch._own("error_share"), watch._own("dead_jobs")) == (1.0, 0.5, 1.0)
    assert watch._own("oldest_job") > 0


@pytest.mark.parametrize(
    ("probe", "message"),
    [
        ({}, "either `url` or `own`"),
        ({"url": "http://127.0.0.1/", "own": "backlog", "max": 1}, "either `url` or `own`"),
        ({"url": "http://127.0.0.1/", "json": "a", "metric": "b", "max": 1}, "reads one thing"),
        ({"url": "http://127.0.0.1/", "of": "latency", "json": "a", "max": 1}, "reads one thing"),
        ({"url": "http://127.0.0.1/", "of": "latency"}, "needs `min` or `max`"),
        ({"own": "backlog"}, "needs `min` or `max`"),
    ],
)
def test_a_probe_that_says_too_little_or_too_much_is_refused(probe, message):
    with pytest.raises(ValidationError, match=message):
        ProbeSpec.model_validate({"name": "p", **probe})
