"""What is recorded is seen while it is recorded, once, and in the order of time."""

import os

import pytest

from jobharness.agent import record
from jobharness.agent.recorder import Recorder
from jobharness.errors import HistoryUnreadable
from jobharness.history import follow
from jobharness.history.event import Kind
from jobharness.history.follow import Follower


@pytest.fixture
def recorder(tmp_path):
    return Recorder(tmp_path, "worker", "worker-1", slots=8)


def values(follower):
    return [one.value for one in follower.poll()]


def test_news_is_told_once(tmp_path, recorder):
    follower = Follower(tmp_path)
    assert values(follower) == []
    recorder.record(Kind.JOB_RUNNING, value=1)
    assert values(follower) == [1]
    recorder.record(Kind.JOB_RUNNING, value=2)
    recorder.record(Kind.JOB_RUNNING, value=3)
    assert values(follower) == [2, 3]
    assert values(follower) == []


def test_news_has_every_field(tmp_path, recorder):
    key, _ = recorder.job("order:17")
    recorder.record(Kind.JOB_FAILED, key, 5, 2, recorder.text("shop.charge"), recorder.text("boom"))
    (one,) = Follower(tmp_path).poll()
    assert one._replace(time_ns=0) == (0, Kind.JOB_FAILED, key, 5, 2, os.getpid(), "shop.charge", "boom", "worker-1", "worker")


def test_news_of_later_files_and_segments_is_seen(tmp_path, recorder):
    follower = Follower(tmp_path)
    for number in range(20):
        recorder.record(Kind.JOB_RUNNING, value=number)
    assert values(follower) == list(range(20))
    Recorder(tmp_path, "worker", "worker-2").record(Kind.JOB_RUNNING, value=99)
    assert values(follower) == [99]


def test_file_that_appears_in_the_same_tick_as_a_look_is_seen(tmp_path, recorder, monkeypatch):
    """A folder's time of change is coarse; here it is made not to change at all, in a tick that outlasts a busy machine."""
    monkeypatch.setattr("jobharness.history.follow.COARSE_NS", 10**12)
    follower = Follower(tmp_path)
    before = tmp_path.stat()
    assert values(follower) == []
    recorder.record(Kind.JOB_RUNNING, value=1)
    os.utime(tmp_path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert values(follower) == [1]


def test_news_of_several_processes_is_in_the_order_of_time(tmp_path):
    one, two = Recorder(tmp_path, "worker", "worker-1"), Recorder(tmp_path, "worker", "worker-2")
    for number in range(10):
        (two if number % 3 else one).record(Kind.JOB_RUNNING, value=number)
    assert values(Follower(tmp_path)) == list(range(10))


def test_slot_that_a_thread_has_taken_and_not_filled_is_told_when_it_is(tmp_path):
    recorder = Recorder(tmp_path, "worker", "worker-1")
    follower = Follower(tmp_path)
    recorder.record(Kind.JOB_RUNNING, value=0)
    commit, place, buffer = recorder._segment.take()
    recorder.record(Kind.JOB_RUNNING, value=2)
    assert values(follower) == [0, 2]
    fields = (1, record.NO_JOB, 1, int(Kind.JOB_RUNNING), 0, os.getpid(), 0, 0, 0, commit)
    record.RECORD.pack_into(buffer, place, *fields)
    assert values(follower) == [1]
    assert values(follower) == []


def test_text_written_after_the_last_look_is_read(tmp_path, recorder):
    follower = Follower(tmp_path)
    for number in range(30):
        recorder.record(Kind.JOB_FAILED, text=recorder.text(f"error {number}"))
        assert [one.text for one in follower.poll()] == [f"error {number}"]


def test_failed_recorders_are_named(tmp_path, recorder, monkeypatch):
    follower = Follower(tmp_path)
    recorder.record(Kind.WORKER_READY)
    follower.poll()
    assert follower.failed() == []

    def no_space(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", no_space)
    silent = Recorder(tmp_path, "worker", "worker-2")
    silent.record(Kind.WORKER_READY)
    for _ in range(20):
        recorder.record(Kind.JOB_RUNNING)
    follower.poll()
    assert follower.failed() == [(os.getpid(), "worker-1"), (os.getpid(), "worker-2")]


def test_unknown_kind_is_refused_with_its_file(tmp_path, recorder):
    recorder.record(4711)
    with pytest.raises(HistoryUnreadable, match="kind 4711"):
        Follower(tmp_path).poll()


def test_file_of_a_process_that_ended_in_order_is_read_to_its_end_and_let_go(tmp_path):
    """RQ leaves a file a job: keeping each of them mapped would cost more with every job."""
    recorder = Recorder(tmp_path, "worker", "worker-1")
    follower = Follower(tmp_path)
    child = os.fork()
    if child == 0:
        recorder.record(Kind.JOB_RUNNING, value=7)
        recorder.close()
        os._exit(0)
    os.waitpid(child, 0)
    assert values(follower) == [7]
    assert follower.followed == 0
    assert values(follower) == []


def test_file_of_a_process_that_was_killed_stays_followed(tmp_path):
    recorder = Recorder(tmp_path, "worker", "worker-1")
    follower = Follower(tmp_path)
    child = os.fork()
    if child == 0:
        recorder.record(Kind.JOB_RUNNING, value=7)
        os._exit(9)
    os.waitpid(child, 0)
    assert values(follower) == [7]
    assert follower.followed == 1


def test_slots_filled_while_they_are_looked_at_are_read_in_their_order(tmp_path, recorder, monkeypatch):
    """A reader may be held up between looking at a slot and at the next: then the begin of an execution was read after its end, and the
    job ran for ever."""
    follower, asked, written = Follower(tmp_path), follow._Tail._committed, []
    recorder.record(Kind.JOB_RUNNING, value=0)
    assert values(follower) == [0]

    def held_up(tail, slot):
        answer = asked(tail, slot)
        if not answer and not written:
            written.extend((1, 2))
            for value in written:
                recorder.record(Kind.JOB_RUNNING, value=value)
        return answer

    monkeypatch.setattr(follow._Tail, "_committed", held_up)
    assert values(follower) == [1, 2]
    assert values(follower) == []


def test_what_is_not_wanted_is_passed_over_unread(tmp_path, recorder):
    follower = Follower(tmp_path, unwanted=[Kind.BROKER_MESSAGE])
    recorder.record(Kind.BROKER_MESSAGE, value=1)
    recorder.record(Kind.JOB_RUNNING, value=2)
    assert values(follower) == [2]
    assert values(follower) == []
