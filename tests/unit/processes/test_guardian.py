"""What carries the mark of a run is ended, whatever became of the one who started it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from jobharness.errors import EnvironmentFailed
from jobharness.processes.guardian import MARK, Guardian, marked, sweep
from jobharness.processes.process import Process, wait_for

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
    # Between its fork and its exec a process has no environment to read.
    assert wait_for(lambda: [process.pid for process in marked(f"{RUN}-1")] == [mine.pid], 5)
    assert wait_for(lambda: [process.pid for process in marked(f"{RUN}-11")] == [other.pid], 5)
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


ERASING = """
import ctypes, os, sys, time
# What a server does that sets a long process title: its environment is written over.
start, end = (int(word) for word in open("/proc/self/stat").read().rpartition(")")[2].split()[47:49])
ctypes.memset(start, 0, end - start)
print("erased", flush=True)
time.sleep(60)
"""


def test_process_that_writes_over_its_environment_is_found_by_its_log(tmp_path):
    """As Redis and PostgreSQL do for their title."""
    run_id = f"{RUN}-erasing"
    (tmp_path / run_id / "logs").mkdir(parents=True)
    log = tmp_path / run_id / "logs" / "broker.log"
    process = Process("broker", [sys.executable, "-c", ERASING], env=os.environ, folder=tmp_path, log=log, mark=run_id)
    assert wait_for(lambda: "erased" in process.log_tail(), 10)
    assert run_id.encode() not in Path(f"/proc/{process.pid}/environ").read_bytes()
    sweep(run_id)
    assert process.wait(10) == -signal.SIGKILL


def test_descendant_is_found_by_its_parent_alone(start):
    """Neither its environment nor its output tells where it belongs."""
    code = (
        "import subprocess, sys, time\n"
        "sleep = [sys.executable, '-c', 'import time; time.sleep(60)']\n"
        "child = subprocess.Popen(sleep, env={}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = start(f"{RUN}-12", [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    assert {process.pid for process in marked(f"{RUN}-12")} == {parent.pid, child}
    sweep(f"{RUN}-12")
    assert wait_for(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE, 10)


SPAWNING = """
import os, time
for _ in range(500):    # A busy worker: it forks a process for every job. It ends by itself, should nobody end it.
    if os.fork() == 0:
        os.setsid()
        time.sleep(5)
        os._exit(0)
    time.sleep(0.01)
"""


def test_process_that_goes_on_forking_is_ended_with_all_its_children(start):
    start(f"{RUN}-5", [sys.executable, "-c", SPAWNING])
    assert wait_for(lambda: len(marked(f"{RUN}-5")) > 3, 10)
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
    assert wait_for(lambda: len(marked(f"{RUN}-8")) == 1, 5)
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
