"""What jobs took, for Locust's statistics: hand-written events and every line that follows from them."""

import pytest

from jobharness.history.event import Kind
from jobharness.history.follow import News
from jobharness.staging.job_times import JobTimes, Timed, short_name

MS = 1_000_000


def news(at_ms, kind, role="worker", key=b"a", value=0, text=""):
    return News(at_ms * MS, kind, key, value, 1, 7, "shop.tasks.charge", text, "name", role)


@pytest.fixture
def times():
    return JobTimes()


def test_times_count_from_the_intended_moment_and_not_from_the_send(times):
    """The send began 40 ms late: who waits for the job waited for those, too."""
    events = [
        news(50, Kind.ENQUEUE_BEGIN, "producer", value=10 * MS),
        news(60, Kind.JOB_RUNNING),
        news(110, Kind.JOB_FINISHED),
    ]
    assert list(times.see(events)) == [Timed("charge started", 50), Timed("charge done", 100)]


def test_job_through_a_service_waits_for_its_caller_to_tell_the_moment(times):
    assert list(times.see([news(20, Kind.ENQUEUE_BEGIN, "service", value=20 * MS), news(30, Kind.JOB_RUNNING)])) == []
    assert list(times.see([news(35, Kind.ENQUEUE_INTENDED, "producer", value=10 * MS)])) == [Timed("charge started", 20)]
    assert list(times.see([news(40, Kind.JOB_FINISHED)])) == [Timed("charge done", 30)]


def test_workers_file_that_is_read_before_the_senders_loses_nothing(times):
    assert list(times.see([news(20, Kind.JOB_RUNNING)])) == []
    begun = [news(5, Kind.ENQUEUE_BEGIN, "producer", value=0), news(30, Kind.JOB_FINISHED)]
    assert list(times.see(begun)) == [Timed("charge started", 20), Timed("charge done", 30)]


def test_second_attempt_starts_nothing_and_a_second_completion_is_no_line(times):
    events = [news(0, Kind.ENQUEUE_BEGIN, "producer"), news(10, Kind.JOB_RUNNING), news(20, Kind.JOB_RUNNING)]
    events += [news(30, Kind.JOB_FINISHED), news(40, Kind.JOB_RUNNING), news(50, Kind.JOB_FINISHED)]
    assert list(times.see(events)) == [Timed("charge started", 10), Timed("charge done", 30)]


def test_job_that_was_given_up_is_a_failure(times):
    events = [news(0, Kind.ENQUEUE_BEGIN, "producer"), news(10, Kind.JOB_DEAD, text="ValueError: no")]
    assert list(times.see(events)) == [Timed("charge done", 10, "given up: ValueError: no")]


def test_job_of_somebody_else_is_left_out(times):
    assert list(times.see([news(0, Kind.JOB_RUNNING), news(1, Kind.JOB_FINISHED)])) == []


def test_names_are_a_tasks_last_word_or_the_path_that_takes_the_job():
    assert short_name({"task": "shop.tasks.charge"}) == "charge"
    assert short_name({"http": {"url": "http://127.0.0.1:8000/orders"}}) == "/orders"
    assert short_name({"shape": "chain", "links": [{"task": "shop.pack"}, {"task": "shop.send"}]}) == "pack"
