"""What carries the mark of a run is ended, whatever became of the one who started it."""

import os
import signal
import subprocess
import sys

import psutil
import pytest

from jobharness.errors import EnvironmentFailed
from jobharness.processes.guardian import MARK, Guardian, marked, sweep
from jobharness.processes.process import wait_for

RUN = f"run-of-tests-{os.getpid()}"  # Other test runs may be under way on this machine.
SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture
def start():
    """Starts a process with a mark, by default in a session of its own."""
    started = []

    def start_marked(mark, command=SLEEP, **options):
        process = subprocess.Popen(command, env={**os.environ, MARK: mark}, start_new_session=True, **options)
        started.append(process)
        return process

    yield start_marked
    for process in started:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def test_only_processes_with_this_mark_are_marked(start):
    mine, other = start(f"{RUN}-1"), start(f"{RUN}-11")
    assert [process.pid for process in marked(f"{RUN}-1")] == [mine.pid]
    assert [process.pid for process in marked(f"{RUN}-11")] == [other.pid]
    assert marked(RUN) == []


def test_sweep_ends_the_marked_and_nobody_else(start):
    mine, other = start(f"{RUN}-2"), start(f"{RUN}-3")
    killed = sweep(f"{RUN}-2")
    assert mine.wait(10) == -signal.SIGKILL and other.poll() is None
    assert killed == [" ".join(SLEEP)]
    assert sweep(f"{RUN}-2") == []


ESCAPING = """
import os, sys, time
if os.fork() == 0:      # A daemon, as ill-behaved programs make them: a session of its own, no parent left, its name changed.
    os.setsid()
    if os.fork():
        os._exit(0)
    os.write(1, b"%d\\n" % os.getpid())  # At once: two processes write to this pipe.
    time.sleep(60)
os.wait()
os.write(1, b"done\\n")
"""


def test_descendant_that_left_its_session_and_its_parent_is_found(start):
    process = start(f"{RUN}-4", [sys.executable, "-c", ESCAPING], stdout=subprocess.PIPE, text=True)
    lines = [process.stdout.readline().strip(), process.stdout.readline().strip()]
    escaped = int(next(line for line in lines if line != "done"))
    assert process.wait(10) == 0
    sweep(f"{RUN}-4")
    assert not psutil.pid_exists(escaped) or psutil.Process(escaped).status() == psutil.STATUS_ZOMBIE


FORKING = """
import os, time
while True:             # Never the same process for long.
    if os.fork():
        os._exit(0)
    os.setsid()
    time.sleep(0.002)
"""


def test_process_that_goes_on_forking_is_caught(start):
    start(f"{RUN}-5", [sys.executable, "-c", FORKING])
    assert wait_for(lambda: bool(marked(f"{RUN}-5")), 10)
    sweep(f"{RUN}-5")
    assert marked(f"{RUN}-5") == []


def test_guardian_cleans_up_when_its_context_is_left(start):
    with Guardian(f"{RUN}-6") as guardian:
        process = start(f"{RUN}-6")
        guardian.check()
    assert process.wait(10) == -signal.SIGKILL


def test_guardian_cleans_up_when_its_context_is_left_by_an_exception(start):
    with pytest.raises(RuntimeError), Guardian(f"{RUN}-7"):
        process = start(f"{RUN}-7")
        raise RuntimeError
    assert process.wait(10) == -signal.SIGKILL


HARNESS = """
import os, subprocess, sys, time
from jobharness.processes.guardian import MARK, Guardian
with Guardian(sys.argv[1]):
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], env={**os.environ, MARK: sys.argv[1]}, start_new_session=True)
    print("up", flush=True)
    time.sleep(60)
"""


def test_guardian_cleans_up_when_the_harness_is_killed():
    harness = subprocess.Popen([sys.executable, "-c", HARNESS, f"{RUN}-8"], stdout=subprocess.PIPE, text=True)
    assert harness.stdout.readline() == "up\n"
    (left,) = marked(f"{RUN}-8")
    harness.kill()
    harness.wait()
    harness.stdout.close()
    # A process on its way out has no environment any more, and is not a zombie yet.
    assert wait_for(lambda: not left.is_running() or left.status() == psutil.STATUS_ZOMBIE, 5)
    assert not marked(f"{RUN}-8")


def test_guardian_that_was_ended_from_outside_is_noticed():
    with Guardian(f"{RUN}-9") as guardian:
        guardian._process.kill()
        guardian._process.wait()
        with pytest.raises(EnvironmentFailed, match="ended from outside"):
            guardian.check()


def test_guardian_itself_carries_no_mark(monkeypatch):
    """A harness that runs inside another run hands its guardian no mark: it must outlive both."""
    monkeypatch.setenv(MARK, f"{RUN}-outer")
    with Guardian(f"{RUN}-10") as guardian:
        assert guardian._process.pid not in {process.pid for process in marked(f"{RUN}-outer")}
