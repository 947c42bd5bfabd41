"""The recorder writes what happened, in whatever process, thread and trouble."""

import os
import subprocess
import sys
import threading

import pytest

from jobharness.agent import record
from jobharness.agent.recorder import Recorder
from jobharness.history import log
from jobharness.history.event import Kind


def recorded(folder):
    """The records of a folder in the order of their files and slots."""
    files = [log.read_record_file(path) for path in sorted(folder.glob("*.rec"))]
    return [(file, row) for file in sorted(files, key=lambda file: file.segment) for row in file.records]


def test_nothing_is_opened_before_the_first_record(tmp_path):
    recorder = Recorder(tmp_path, "worker", "worker-1")
    assert not list(tmp_path.iterdir())
    recorder.record(Kind.WORKER_READY)
    assert {path.suffix for path in tmp_path.iterdir()} == {".rec", ".texts"}


def test_every_field_is_read_back(tmp_path):
    recorder = Recorder(tmp_path, "worker", "worker-1", "celery")
    key, _ = recorder.job("8b1a9953-c461-4296-a827-abf8c47804d7")
    task, text, group = recorder.text("shop.charge"), recorder.text("boom\nbang"), recorder.text("customer-7")
    recorder.record(Kind.JOB_RUNNING, key, -5, 2, task, text, group)
    ((file, row),) = recorded(tmp_path)
    assert (file.about["name"], file.about["role"], file.about["library"], file.process) == (
        "worker-1",
        "worker",
        "celery",
        os.getpid(),
    )
    assert (row["kind"], row["value"], row["attempt"], row["process"]) == (Kind.JOB_RUNNING, -5, 2, os.getpid())
    assert [file.texts[row[name]] for name in ("task", "text", "group")] == ["shop.charge", "boom\nbang", "customer-7"]
    assert (int(row["key_hi"]) << 64 | int(row["key_lo"])).to_bytes(16, "big") == key


def test_segments_roll_over_without_losing_a_record(tmp_path):
    recorder = Recorder(tmp_path, "worker", "worker-1", slots=8)
    for number in range(100):
        recorder.record(Kind.JOB_RUNNING, value=number)
    rows = recorded(tmp_path)
    assert [int(row["value"]) for _, row in rows] == list(range(100))
    assert [file.segment for file, _ in rows] == [number // 8 for number in range(100)]


def test_segment_may_be_larger_than_the_usual_one(tmp_path):
    recorder = Recorder(tmp_path, "worker", "worker-1", slots=record.SLOTS + 1)
    recorder.record(Kind.JOB_RUNNING)
    assert len(recorded(tmp_path)) == 1


def test_threads_lose_no_record_across_segments(tmp_path):
    recorder = Recorder(tmp_path, "worker", "worker-1", slots=64)

    def work(thread):
        for number in range(500):
            recorder.record(Kind.JOB_RUNNING, value=thread * 1000 + number, text=recorder.text(f"text {number % 7}"))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # So that threads interrupt each other within a record.
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    rows = recorded(tmp_path)
    assert sorted(int(row["value"]) for _, row in rows) == sorted(t * 1000 + n for t in range(8) for n in range(500))
    assert all(file.texts[row["text"]] == f"text {int(row['value']) % 1000 % 7}" for file, row in rows)


def test_text_written_by_a_signal_handler_in_between_keeps_every_number_right(tmp_path, monkeypatch):
    recorder = Recorder(tmp_path, "worker", "worker-1")
    recorder.record(Kind.WORKER_READY)
    write, nested = os.write, []

    def interrupted_write(descriptor, line):
        if not nested:  # A signal arrives just before the line is written, and its handler writes a text of its own.
            nested.append(None)
            nested[0] = recorder.text("from the handler")
        return write(descriptor, line)

    monkeypatch.setattr(os, "write", interrupted_write)
    outer = recorder.text("interrupted")
    monkeypatch.undo()
    after = recorder.text("later")
    texts = log.read_record_file(next(tmp_path.glob("*.rec"))).texts
    assert [texts[outer], texts[nested[0]], texts[after]] == ["interrupted", "from the handler", "later"]


def test_fork_gets_its_own_file_and_its_own_texts(tmp_path):
    code = """
import os, sys
from jobharness.agent.recorder import Recorder
recorder = Recorder(sys.argv[1], "worker", "worker-1")
recorder.record(11, value=1, text=recorder.text("parent"))
if os.fork() == 0:
    recorder.record(11, value=2, text=recorder.text("child"))
    os._exit(0)
os.wait()
recorder.record(11, value=3, text=recorder.text("parent again"))
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    history = log.gather(tmp_path, {})
    assert history.processes.height == 2 and history.processes["pid"].n_unique() == 2
    seen = {
        int(value): (process, history.text(text))
        for process, value, text in history.events.select("process", "value", "text").rows()
    }
    assert [seen[value][1] for value in (1, 2, 3)] == ["parent", "child", "parent again"]
    assert seen[1][0] == seen[3][0] != seen[2][0]


def test_fork_while_another_thread_writes_a_text_does_not_hang_the_child(tmp_path):
    code = """
import os, sys, threading
from jobharness.agent.recorder import Recorder
recorder = Recorder(sys.argv[1], "worker", "worker-1")
recorder.record(30)
recorder._lock.acquire()  # What a thread holds while it writes a text.
child = []
def fork():
    if os.fork() == 0:
        recorder.record(11, text=recorder.text("child"))
        os._exit(0)
thread = threading.Thread(target=fork)
thread.start(); thread.join()
print(os.waitstatus_to_exitcode(os.wait()[1]))
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=20, check=True
    )
    assert done.stdout.strip() == "0"
    assert "child" in log.gather(tmp_path, {}).texts.to_list()


def test_close_is_seen_and_safe_to_call_twice(tmp_path):
    recorder = Recorder(tmp_path, "worker", "worker-1")
    recorder.close()
    recorder.record(Kind.WORKER_READY)
    recorder.close()
    recorder.close()
    ((file, _),) = recorded(tmp_path)
    assert file.closed and not file.failed


def test_missing_folder_marks_failed_and_never_raises_into_the_app(tmp_path, capfd):
    recorder = Recorder(tmp_path / "absent", "worker", "worker-1")
    recorder.record(Kind.JOB_RUNNING)
    recorder.record(Kind.JOB_RUNNING)
    assert recorder.text("words") == 0
    recorder.close()
    assert recorder.failed
    assert capfd.readouterr().err.count("cannot record the events") == 1


def test_process_that_could_not_open_its_first_file_is_known_to_have_failed(tmp_path, monkeypatch):
    recorder = Recorder(tmp_path, "worker", "worker-1.blue")
    monkeypatch.setattr(os, "posix_fallocate", no_space)
    recorder.record(Kind.JOB_RUNNING)
    history = log.gather(tmp_path, {})
    assert history.processes.to_dicts() == [
        {"name": "worker-1.blue", "role": "worker", "pid": os.getpid(), "host": "", "failed": True}
    ]


def no_space(*_):
    raise OSError(28, "No space left on device")


def test_failure_in_a_later_segment_is_known_and_what_was_written_before_is_kept(tmp_path, monkeypatch):
    recorder = Recorder(tmp_path, "worker", "worker-1", slots=4)
    for _ in range(6):
        recorder.record(Kind.JOB_RUNNING)
    monkeypatch.setattr(os, "posix_fallocate", no_space)
    for _ in range(6):
        recorder.record(Kind.JOB_RUNNING)
    history = log.gather(tmp_path, {})
    assert recorder.failed and history.processes["failed"].to_list() == [True]
    assert len(history) == 8


def test_text_that_only_half_fits_on_the_disk_marks_failed(tmp_path, monkeypatch):
    recorder = Recorder(tmp_path, "worker", "worker-1")
    recorder.record(Kind.WORKER_READY)
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, line: write(descriptor, line[:5]))
    assert recorder.text("a text that is cut off") == 0
    monkeypatch.undo()
    assert recorder.failed
    assert log.gather(tmp_path, {}).processes["failed"].to_list() == [True]


def test_disk_limit_is_an_error_here_and_no_signal_in_the_worker(tmp_path):
    """A real limit of the kernel: the file size that a process may write."""
    code = """
import resource, signal, sys
from jobharness.agent.recorder import Recorder
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
recorder = Recorder(sys.argv[1], "worker", "worker-1")
recorder.record(11)
print(recorder.failed)
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
    assert log.gather(tmp_path, {}).processes["failed"].to_list() == [True]


@pytest.mark.parametrize(
    "arguments", [{"value": 2**63}, {"value": "late"}, {"key": "not bytes"}, {"task": -1}, {"attempt": None}, {"kind": 70000}]
)
def test_value_that_does_not_fit_marks_failed_and_never_raises_into_the_app(tmp_path, arguments):
    recorder = Recorder(tmp_path, "worker", "worker-1")
    recorder.record(Kind.JOB_RUNNING, value=1)
    recorder.record(**{"kind": Kind.JOB_RUNNING, **arguments})
    recorder.record(Kind.JOB_RUNNING, value=2)
    assert recorder.failed
    assert [int(row["value"]) for _, row in recorded(tmp_path)] == [1, 2]


def test_attempt_that_its_field_cannot_hold_is_told_as_the_nearest_that_it_can(tmp_path):
    recorder = Recorder(tmp_path, "worker", "worker-1")
    for attempt in (65535, 65536, 10**12, -1):
        recorder.record(Kind.JOB_RUNNING, value=1, attempt=attempt)
    assert not recorder.failed
    assert [int(row["attempt"]) for _, row in recorded(tmp_path)] == [65535, 65535, 65535, 0]
    assert log.gather(tmp_path, {}).header["torn"] == 0


@pytest.mark.parametrize(
    "job_id",
    [
        "8b1a9953-c461-4296-a827-abf8c47804d7",
        "8b1a9953c4614296a827abf8c47804d7",
        "8B1A9953-C461-4296-A827-ABF8C47804D7",
        "8B1A9953C4614296A827ABF8C47804D7",
        "8b1a-9953c461-4296-a827-abf8c47804d7",
        "8b1a9953 c461 4296 a827 abf8c47804d7",
        "8b1a9953-c461-4296-a827-abf8c47804 7",
        " 8b1a9953c4614296a827abf8c47804d",
        "8b1a9953c4614296a827abf8c47804é7",
        17,
        "17",
        -1,
        10**18,
        "order:17",
    ],
)
def test_id_in_hand_has_the_key_of_its_layout_and_is_told_as_it_was(tmp_path, job_id):
    """The way that every job goes is a shorter one than `identity`, and must lead to the same."""
    recorder = Recorder(tmp_path, "worker", "worker-1")
    key, form = record.identity(job_id)
    assert recorder.job(job_id) == (key, recorder.text(str(job_id)) if form is None else form)
    assert form is None or record.spelt(key, form) == str(job_id)


def test_text_that_is_no_string_is_written_as_one(tmp_path):
    recorder = Recorder(tmp_path, "worker", "worker-1")
    number = recorder.text(17)
    recorder.record(Kind.JOB_RUNNING, text=number)
    ((file, _),) = recorded(tmp_path)
    assert file.texts[number] == "17"


@pytest.mark.parametrize("from_handler", [1, 8, 9, 30])
def test_records_of_a_signal_handler_amid_the_change_to_a_new_file_are_kept(tmp_path, from_handler):
    """The new file is there, and the records still go to the old one, which is full: no room must be seen as none, again and again."""
    recorder = Recorder(tmp_path, "worker", "worker-1", slots=8)
    for value in range(8):
        recorder.record(Kind.JOB_RUNNING, value=value)
    bind = recorder._bind

    def interrupted_bind(*told):
        recorder._bind = bind
        for value in range(100, 100 + from_handler):
            recorder.record(Kind.JOB_RUNNING, value=value)
        bind(*told)

    recorder._bind = interrupted_bind
    for value in range(8, 20):
        recorder.record(Kind.JOB_RUNNING, value=value)
    values = sorted(int(row["value"]) for _, row in recorded(tmp_path))
    assert values == [*range(20), *range(100, 100 + from_handler)]


def test_record_from_a_signal_handler_during_a_record_is_kept(tmp_path):
    code = """
import signal, sys, time
from jobharness.agent.recorder import Recorder
recorder = Recorder(sys.argv[1], "worker", "worker-1", slots=128)
from_handler = 0
def handler(*_):
    global from_handler
    from_handler += 1
    recorder.record(32, value=from_handler, text=recorder.text("signal %d" % (from_handler % 50)))
    # Only now: on a busy machine signals would else outrun their handlers, which then pile up.
    signal.setitimer(signal.ITIMER_REAL, 0.0005 * (from_handler < 200))
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.0005)
written = 0
while from_handler < 200:
    written += 1
    recorder.record(11, value=written, text=recorder.text("work %d" % (written % 50)))
print(written, from_handler)
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=60, check=True)
    written, from_handler = map(int, done.stdout.split())
    history = log.gather(tmp_path, {})
    rows = history.events.select("kind", "value", "text").rows()
    assert sorted(value for kind, value, _ in rows if kind == Kind.JOB_RUNNING) == list(range(1, written + 1))
    assert sorted(value for kind, value, _ in rows if kind == Kind.WORKER_STOPPING) == list(range(1, from_handler + 1))
    words = {Kind.JOB_RUNNING: "work", Kind.WORKER_STOPPING: "signal"}
    assert all(history.text(text) == f"{words[Kind(kind)]} {value % 50}" for kind, value, text in rows)


def test_fork_begins_with_a_small_file_and_goes_on_in_a_whole_one(tmp_path):
    """A library that forks for every job would else fill the disk."""
    recorder = Recorder(tmp_path, "worker", "worker-1")
    child = os.fork()
    if child == 0:
        for value in range(200):
            recorder.record(Kind.JOB_RUNNING, value=value)
        os._exit(0)
    os.waitpid(child, 0)
    assert [int(row["value"]) for _, row in recorded(tmp_path)] == list(range(200))
    assert sorted(file.about["slots"] for file in {file.path: file for file, _ in recorded(tmp_path)}.values()) == [128, 32768]
