"""A fork writes its first records into slots that its parent lent it: a library that forks for every job makes no file for each."""

import os
import signal
import threading
from functools import partial

import pytest

from jobharness.agent import record
from jobharness.agent import recorder as recorder_module
from jobharness.agent.enqueued import Enqueued
from jobharness.agent.recorder import LENT, Recorder
from jobharness.agent.shipper import Files
from jobharness.history import log
from jobharness.history.event import Kind
from jobharness.history.follow import Follower


@pytest.fixture
def recorder(tmp_path):
    recorder = Recorder(tmp_path, "worker", "worker-1")
    recorder.record(Kind.WORKER_READY)
    return recorder


def in_fork(work):
    """Call `work()` in a fork, which ends at once after it; returns its process id."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    return child


def told(history):
    """`{value: (pid, task, text)}` of what a run recorded of executions."""
    pids = history.processes["pid"].to_list()
    rows = history.of(Kind.JOB_RUNNING).collect().select("value", "process", "task", "text").iter_rows()
    return {value: (pids[process], history.text(task), history.text(text)) for value, process, task, text in rows}


def files(folder):
    return sorted(path.suffix for path in folder.iterdir())


def test_fork_that_records_little_makes_no_file_and_is_a_process_of_its_own(tmp_path, recorder):
    task = recorder.text("shop.charge")
    forks = [in_fork(lambda: recorder.record(Kind.JOB_RUNNING, value=1, task=recorder.text("shop.charge")))]
    forks += [in_fork(lambda: (recorder.record(Kind.JOB_RUNNING, value=2, task=task), recorder.close()))]
    recorder.record(Kind.JOB_RUNNING, value=3, task=task)
    recorder.close()
    assert files(tmp_path) == [".rec", ".texts"]
    history = log.gather(tmp_path, {})
    pids = [*forks, os.getpid()]
    assert told(history) == {value: (pid, "shop.charge", "") for value, pid in enumerate(pids, 1)}
    assert sorted(history.processes["pid"]) == sorted(pids) and set(history.processes["name"]) == {"worker-1"}
    assert history.header["torn"] == 0 and not history.processes["failed"].any()
    (file,) = (log.read_record_file(path) for path in tmp_path.glob("*.rec"))
    assert file.closed and len(file.records) == 4


def test_fork_that_has_something_new_to_say_goes_on_in_a_file_of_its_own(tmp_path, recorder):
    task = recorder.text("shop.charge")

    def fail():
        recorder.record(Kind.JOB_RUNNING, value=1, task=task)
        # The number of the task's name is its parent's, that of the error its own.
        recorder.record(Kind.JOB_RUNNING, value=2, task=task, text=recorder.text("boom"))
        recorder.close()

    fork = in_fork(fail)
    recorder.record(Kind.JOB_RUNNING, value=3, task=task, text=recorder.text("meanwhile"))
    assert files(tmp_path) == [".rec", ".rec", ".texts", ".texts"]
    history = log.gather(tmp_path, {})
    assert told(history) == {
        1: (fork, "shop.charge", ""),
        2: (fork, "shop.charge", "boom"),
        3: (os.getpid(), "shop.charge", "meanwhile"),
    }
    assert history.processes.height == 2
    assert {one.value: (one.process, one.task, one.text) for one in Follower(tmp_path).poll() if one.value} == told(history)


def test_fork_that_records_much_loses_nothing(tmp_path, recorder):
    fork = in_fork(lambda: [recorder.record(Kind.JOB_RUNNING, value=value) for value in range(1, 301)])
    assert told(log.gather(tmp_path, {})) == dict.fromkeys(range(1, 301), (fork, "", ""))


def test_threads_of_a_fork_share_what_was_lent(tmp_path, recorder):
    def work():
        def one(number):
            for at in range(20):
                recorder.record(Kind.JOB_RUNNING, value=1 + number * 20 + at, text=recorder.text(f"text {at}"))

        threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    fork = in_fork(work)
    assert told(log.gather(tmp_path, {})) == {1 + at: (fork, "", f"text {at % 20}") for at in range(80)}


def test_nothing_is_lent_while_the_last_fork_has_not_used_its_own(tmp_path, recorder):
    """A library that forks for other ends would else fill the file with slots that nobody uses."""
    for _ in range(50):
        in_fork(lambda: None)
    recorder.record(Kind.JOB_RUNNING, value=1)
    (path,) = tmp_path.glob("*.rec")
    raw = path.read_bytes()
    at = record.HEADER_BYTES + (1 + LENT) * record.RECORD_BYTES
    assert record.RECORD.unpack_from(raw, at)[2] == 1, "the parent's own second record comes right after one loan"


def test_fork_of_a_fork_has_files_of_its_own(tmp_path, recorder):
    def work():
        recorder.record(Kind.JOB_RUNNING, value=1, text=recorder.text("fork"))
        in_fork(lambda: recorder.record(Kind.JOB_RUNNING, value=2, text=recorder.text("its fork")))

    in_fork(work)
    assert {value: text for value, (_, _, text) in told(log.gather(tmp_path, {})).items()} == {1: "fork", 2: "its fork"}


def test_two_threads_that_fork_at_once_lend_different_slots(tmp_path, recorder):
    def fork(number):
        for at in range(20):
            in_fork(partial(recorder.record, Kind.JOB_RUNNING, value=number * 100 + at))

    threads = [threading.Thread(target=fork, args=(number,)) for number in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told(log.gather(tmp_path, {}))) == [*range(100, 120), *range(200, 220)]


def test_loan_that_does_not_fit_is_none(tmp_path):
    recorder = Recorder(tmp_path, "worker", "worker-1", slots=4)
    recorder.record(Kind.WORKER_READY)
    fork = in_fork(lambda: recorder.record(Kind.JOB_RUNNING, value=1))
    recorder.record(Kind.JOB_RUNNING, value=2)
    assert told(log.gather(tmp_path, {})) == {1: (fork, "", ""), 2: (os.getpid(), "", "")}


def test_killed_fork_leaves_what_it_wrote_and_no_torn_record(tmp_path, recorder):
    follower, files_ = Follower(tmp_path), Files(tmp_path)
    follower.poll()
    list(files_.news())
    fork = in_fork(lambda: (recorder.record(Kind.JOB_RUNNING, value=1), os.kill(os.getpid(), signal.SIGKILL)))
    for value, news in ((2, [1, 2]), (3, [3])):
        recorder.record(Kind.JOB_RUNNING, value=value)
        assert [one.value for one in follower.poll()] == news
        # What was sent is not sent again, though slots before it stay empty.
        assert sum(len(raw) for _, at, raw in files_.news() if raw and at) <= (LENT + 1) * record.RECORD_BYTES
    assert not [raw for _, at, raw in files_.news() if at]
    history = log.gather(tmp_path, {})
    assert told(history)[1][0] == fork and sorted(told(history)) == [1, 2, 3] and history.header["torn"] == 0


def test_slot_that_a_fork_fills_late_is_seen_and_shipped(tmp_path, recorder):
    """The fork has its slots, and its parent has written after them."""
    go, ready = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        recorder.record(Kind.JOB_RUNNING, value=1)
        os.write(ready[1], b"1")
        os.read(go[0], 1)
        recorder.record(Kind.JOB_RUNNING, value=2)
        os._exit(0)
    os.read(ready[0], 1)
    recorder.record(Kind.JOB_RUNNING, value=3)
    follower, shipped = Follower(tmp_path), Files(tmp_path)
    assert [one.value for one in follower.poll()] == [0, 1, 3]
    list(shipped.news())
    os.write(go[1], b"1")
    os.waitpid(child, 0)
    assert [one.value for one in follower.poll()] == [2]
    ((_, at, raw),) = [piece for piece in shipped.news() if piece[1]]
    assert record.RECORD.unpack(raw)[2] == 2 and at == record.HEADER_BYTES + 2 * record.RECORD_BYTES


def test_file_that_lends_is_shipped_until_the_end_though_its_process_is_gone(tmp_path):
    def parent():
        recorder = Recorder(tmp_path, "worker", "worker-1")
        recorder.record(Kind.WORKER_READY)
        in_fork(lambda: recorder.record(Kind.JOB_RUNNING, value=1))

    in_fork(parent)
    files_ = Files(tmp_path)
    assert not [name for name, _, raw in files_.news() if raw is None]
    assert [name for name, _, raw in files_.news(final=True) if raw is None]


def test_fork_that_cannot_open_a_file_of_its_own_has_failed_and_its_parent_has_not(tmp_path, recorder, monkeypatch):
    def no_space(*_):
        raise OSError(28, "No space left on device")

    def work():
        recorder.record(Kind.JOB_RUNNING, value=1)
        monkeypatch.setattr(recorder_module.os, "posix_fallocate", no_space)
        recorder.record(Kind.JOB_RUNNING, value=2, text=recorder.text("boom"))

    fork = in_fork(work)
    history = log.gather(tmp_path, {})
    failed = {row["pid"] for row in history.processes.to_dicts() if row["failed"]}
    assert failed == {fork} and told(history)[1][0] == fork and history.processes.height == 2


def test_jobs_enqueued_by_parent_and_fork_are_found_past_what_a_killed_fork_left_empty(tmp_path, recorder):
    def send(job_id):
        key, text = recorder.job(job_id)
        recorder.record(Kind.ENQUEUE_BEGIN, key, text=text)

    in_fork(lambda: (send("order:1"), os.kill(os.getpid(), signal.SIGKILL)))
    enqueued = Enqueued(tmp_path)
    in_fork(lambda: (send("17"), os.kill(os.getpid(), signal.SIGKILL)))
    send("order:2")
    assert [job_id for _, _, job_id in enqueued.jobs()] == ["order:1", "17", "order:2"]
    send("order:3")
    assert [job_id for _, _, job_id in enqueued.jobs()] == ["order:1", "17", "order:2", "order:3"]
