"""The job that APScheduler is given to run stands for the app's own in all that may be asked of it."""

import pytest

from jobharness.agent.libraries import apscheduler
from jobharness.agent.recorder import Recorder
from jobharness.history.event import Kind
from jobharness.history.follow import Follower


class Job:
    """As APScheduler's: its fields are slots."""

    __slots__ = ("args", "func", "func_ref", "id", "kwargs", "misfire_grace_time", "name", "next_run_time")

    def __init__(self, func):
        self.id, self.func, self.func_ref, self.name = "a" * 32, func, "app:task", "task"
        self.args, self.kwargs, self.misfire_grace_time = (2,), {"more": 3}, None

    def __str__(self):
        return "task (trigger: date)"

    def describe(self):
        return f"{self.name} of {self.id[:2]}"


@pytest.fixture
def recorder(tmp_path):
    return Recorder(tmp_path, "worker", "worker-1")


def seen(job, recorder):
    apscheduler._ask_the_job(Job)
    return apscheduler._Seen(job, job.id, recorder)


def test_what_a_job_has_is_asked_of_the_job(recorder):
    job = Job(lambda *args, **kwargs: (args, kwargs))
    one = seen(job, recorder)
    job.name = "renamed"
    assert (one.id, one.args, one.kwargs, one.func_ref, one.name) == ("a" * 32, (2,), {"more": 3}, "app:task", "renamed")
    assert one.describe() == "renamed of aa"
    assert str(one) == "task (trigger: date)"


def test_what_a_job_does_not_have_is_missed_as_it_is_of_a_job(recorder):
    one = seen(Job(print), recorder)
    with pytest.raises(AttributeError, match="next_run_time"):
        _ = one.next_run_time
    with pytest.raises(AttributeError):
        _ = one.nothing_of_the_kind


@pytest.mark.parametrize(
    ("func", "kinds"),
    [
        (lambda number, more: number + more, [Kind.JOB_RUNNING, Kind.JOB_FINISHED]),
        (lambda number, more: number // (more - 3), [Kind.JOB_RUNNING, Kind.JOB_FAILED, Kind.JOB_DEAD]),
    ],
)
def test_a_call_is_recorded(func, kinds, recorder, tmp_path):
    one = seen(Job(func), recorder)
    if Kind.JOB_FINISHED in kinds:
        assert one.func(*one.args, **one.kwargs) == 5
    else:
        with pytest.raises(ZeroDivisionError):
            one.func(*one.args, **one.kwargs)
    assert one.called
    news = list(Follower(tmp_path).poll())
    assert [each.kind for each in news] == kinds
    assert {each.task for each in news} == {"app:task"}


def test_a_job_that_came_too_late_is_dead(recorder, tmp_path):
    seen(Job(print), recorder).miss()
    (news,) = Follower(tmp_path).poll()
    assert (news.kind, news.text) == (Kind.JOB_DEAD, apscheduler.MISSED)
