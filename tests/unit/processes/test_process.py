"""One process: its command, its log, its end."""

import os
import signal
import sys

import psutil
import pytest

from jobharness.errors import ProcessFailed
from jobharness.processes.guardian import MARK
from jobharness.processes.process import Process, wait_for


@pytest.fixture
def start(tmp_path):
    """Starts Python code as a process; whatever is left of it is killed at the end."""
    started = []

    def start_code(code, **environment):
        process = Process(
            "worker-1",
            [sys.executable, "-c", code],
            env={**os.environ, **environment},
            folder=tmp_path,
            log=tmp_path / "worker-1.log",
            mark="a mark",
        )
        started.append((process, process.children))
        return process

    yield start_code
    for process, children in started:
        for child in children():
            child.kill()
        process.stop(grace_s=0)


def text_in(path, words):
    return lambda: path.exists() and words in path.read_text()


def test_process_has_the_mark_a_session_of_its_own_its_folder_and_its_log(start, tmp_path):
    process = start(f"import os; print(os.environ[{MARK!r}], os.getsid(0) == os.getpid(), os.getcwd())")
    assert process.wait(10) == 0
    assert process.log_tail() == f"a mark True {tmp_path}"


def test_exit_code_is_none_while_it_runs_and_negative_for_a_signal(start):
    process = start("import time; time.sleep(60)")
    assert process.exit_code is None and process.wait(0) is None
    process.signal(signal.SIGKILL)
    assert process.wait(10) == -signal.SIGKILL
    process.signal(signal.SIGTERM)  # Nothing happens: it is gone.
    assert process.exit_code == -signal.SIGKILL


def test_command_that_does_not_exist_is_a_clear_error(tmp_path):
    with pytest.raises(ProcessFailed, match=r"worker-1 could not be started \(/no/such/command: No such file or directory\)"):
        Process("worker-1", ["/no/such/command"], env={}, folder=tmp_path, log=tmp_path / "log", mark="m")


def test_folder_that_does_not_exist_is_a_clear_error(tmp_path):
    with pytest.raises(ProcessFailed, match="could not be started"):
        Process("worker-1", [sys.executable], env={}, folder=tmp_path / "none", log=tmp_path / "log", mark="m")


def test_stop_asks_first(start, tmp_path):
    process = start(
        "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\nprint('up', flush=True)\ntime.sleep(60)"
    )
    assert wait_for(text_in(tmp_path / "worker-1.log", "up"), 10)
    assert process.stop(grace_s=10) == 7


def test_stop_kills_what_does_not_end_and_its_children(start, tmp_path):
    process = start(
        "import os, signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nos.fork()\nprint('up', flush=True)\ntime.sleep(60)"
    )
    assert wait_for(lambda: text_in(tmp_path / "worker-1.log", "up\nup")(), 10)
    (child,) = process.children()
    assert process.stop(grace_s=0) == -signal.SIGKILL
    assert wait_for(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, 10)
    assert process.children() == []


def test_log_tail_is_of_this_process_alone_and_of_its_last_lines(start, tmp_path):
    (tmp_path / "worker-1.log").write_text("of the process before\n")
    process = start("for number in range(20): print('line', number)")
    assert process.wait(10) == 0
    assert process.log_tail(2) == "line 18\nline 19"
    assert "before" not in process.log_tail(100)


def test_log_tail_takes_any_bytes(start):
    process = start("import sys; sys.stdout.buffer.write(b'\\xff\\xfe broken')")
    assert process.wait(10) == 0
    assert process.log_tail().endswith(" broken")


def test_wait_for_gives_up_at_its_deadline_and_not_before_it_is_true():
    answers = iter([False, False, True])
    assert wait_for(lambda: next(answers), 10)
    assert not wait_for(lambda: False, 0.01)
