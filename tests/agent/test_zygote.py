"""Processes that a warm process forks: as if each had been started by itself, and dead when they are killed."""

import json
import os
import signal
import sys
import time
from importlib import metadata
from pathlib import Path

import pytest

from jobharness.errors import ProcessFailed
from jobharness.processes.process import Process, wait_for
from jobharness.processes.zygote import Forked, Zygote
from jobharness.runner.clocks import ClockPlan, Clocks
from jobharness.runner.surroundings import AGENT_PATH

SCRIPT = """
import json, os, sys
json.dump([sys.argv[1:], os.environ.get("COLOUR"), os.getcwd(), os.getsid(0) == os.getpid(), "decimal" in sys.modules,
           os.environ.get("OF_THE_ZYGOTE"), random_number], open(sys.argv[1], "w"))
"""


@pytest.fixture
def zygote(tmp_path):
    """A zygote that has imported `decimal`, and the module `app` in its folder."""
    (tmp_path / "app.py").write_text("import random\nrandom_number = random.random()\n" + SCRIPT, encoding="utf-8")
    (tmp_path / "waits.py").write_text("import time\nprint('waiting', flush=True)\ntime.sleep(60)\n", encoding="utf-8")
    (tmp_path / "ends.py").write_text("import sys\nsys.exit(int(sys.argv[1]))\n", encoding="utf-8")
    (tmp_path / "writes.py").write_text("import os, sys\nos.write(int(sys.argv[1]), b'hello')\n", encoding="utf-8")
    env = {**os.environ, "PYTHONPATH": str(AGENT_PATH), "OF_THE_ZYGOTE": "1"}
    modules = ["decimal", "no_such_module"]
    made = Zygote(Path(sys.executable), env, tmp_path, tmp_path / "zygote.log", "mark", modules, "jobharness_agent.zygote")
    started = []

    def start(name, *command, keep=()):
        env = {"PATH": os.environ["PATH"], "COLOUR": "red", "PYTHONPATH": f"{AGENT_PATH}"}
        log = tmp_path / f"{name}.log"
        started.append(made.start(name, command, env=env, folder=tmp_path, log=log, mark="mark", keep=keep))
        return started[-1]

    yield start
    for process in started:
        process.stop(0)
    made.stop()


def test_fork_has_its_own_arguments_environment_session_and_what_was_imported(zygote, tmp_path):
    answers = []
    for name in ("a", "b"):
        process = zygote(name, sys.executable, "-m", "app", str(tmp_path / name), "two")
        assert isinstance(process, Forked) and process.wait(20) == 0, process.log_tail()
        answers.append(json.loads((tmp_path / name).read_text(encoding="utf-8")))
    for name, (arguments, colour, folder, own_session, warm, of_the_zygote, _) in zip("ab", answers, strict=True):
        assert (arguments, colour, folder) == ([str(tmp_path / name), "two"], "red", str(tmp_path))
        assert own_session and warm and of_the_zygote is None
    assert answers[0][-1] != answers[1][-1], "forks draw the same random numbers"


def test_script_is_forked_too_by_its_path_from_its_folder(zygote, tmp_path):
    process = zygote("script", sys.executable, "app.py", str(tmp_path / "answer"))
    assert isinstance(process, Forked) and process.wait(20) == 0, process.log_tail()
    arguments, colour, *_, warm, _, _ = json.loads((tmp_path / "answer").read_text(encoding="utf-8"))
    assert (arguments, colour, warm) == ([str(tmp_path / "answer")], "red", True)


def test_exit_code_and_signal_of_a_fork_are_told(zygote):
    assert zygote("ends", sys.executable, "-m", "ends", "7").wait(20) == 7
    waits = zygote("waits", sys.executable, "-m", "waits")
    assert wait_for(lambda: "waiting" in waits.log_tail(), 20)
    assert waits.exit_code is None
    os.kill(waits.pid, signal.SIGKILL)
    assert waits.wait(20) == -signal.SIGKILL
    # It was reaped: no zombie is left that would count as alive.
    assert not Path(f"/proc/{waits.pid}").exists()


def test_fork_gets_the_descriptors_that_it_is_to_keep(zygote):
    read, write = os.pipe()
    assert zygote("writes", sys.executable, "-m", "writes", str(write), keep=[write]).wait(20) == 0
    os.close(write)
    assert os.read(read, 100) == b"hello"
    os.close(read)


def test_what_is_not_this_pythons_is_a_process_of_its_own(zygote):
    process = zygote("true", "/bin/true")
    assert type(process) is Process and process.wait(20) == 0


def test_fork_that_raises_says_so_in_its_log(zygote):
    process = zygote("missing", sys.executable, "-m", "no_such_app")
    assert process.wait(20) == 1
    assert "no_such_app" in process.log_tail()


def test_zygote_that_cannot_start_says_why_to_the_first_who_asks(tmp_path):
    log = tmp_path / "log"
    made = Zygote(Path(sys.executable), {}, tmp_path, log, "mark", [], "no_such_zygote")
    try:
        with pytest.raises(ProcessFailed, match="no_such_zygote"):
            made.start("one", [sys.executable, "-m", "decimal"], env={}, folder=tmp_path, log=tmp_path / "one.log", mark="mark")
    finally:
        made.stop()


def test_what_is_installed_is_told_in_a_fork_as_anywhere(zygote, tmp_path):
    """The zygote has read it for all of them."""
    words = "from importlib import metadata\nprint(metadata.version('pytest'), metadata.entry_points(group='pytest11'))"
    (tmp_path / "asks.py").write_text(words, encoding="utf-8")
    process = zygote("asks", sys.executable, "-m", "asks")
    assert process.wait(20) == 0
    assert process.log_tail() == f"{metadata.version('pytest')} {metadata.entry_points(group='pytest11')}"


LIBRARY = """
import time
from datetime import datetime

def now(clock=time.time):  # Kept where nothing finds it any more.
    return clock()
"""
ASKS = """
import os, time
import library
pid = os.fork()  # As a worker forks for each job.
if not pid:
    print(round(library.now()), round(library.datetime.now().timestamp()), time.monotonic(), flush=True)
    os._exit(0)
os.waitpid(pid, 0)
"""


def test_each_fork_has_a_clock_of_its_own_that_what_was_imported_sees_too(tmp_path):
    (tmp_path / "library.py").write_text(LIBRARY, encoding="utf-8")
    (tmp_path / "asks.py").write_text(ASKS, encoding="utf-8")
    (tmp_path / "records").mkdir()
    clocks = Clocks(ClockPlan(None), tmp_path / "clocks")
    env = {**os.environ, "PYTHONPATH": str(AGENT_PATH), **clocks.env_for("zygote")}
    made = Zygote(Path(sys.executable), env, tmp_path, tmp_path / "zygote.log", "mark", ["library"], "jobharness_agent.zygote")
    seen = {}
    try:
        for name, ahead_s in (("worker-1", 7200.0), ("worker-2", -60.0), ("worker-3", 0.0)):
            log = tmp_path / f"{name}.log"
            own = {"PATH": os.environ["PATH"], "PYTHONPATH": str(AGENT_PATH), **clocks.env_for(name)}
            own |= {"JOBHARNESS_HISTORY": str(tmp_path / "records"), "JOBHARNESS_NAME": name}
            clocks.move(name, ahead_s, "clock#1" if ahead_s else "")
            command = [sys.executable, "-m", "asks"]
            process = made.start(name, command, env=own, folder=tmp_path, log=log, mark="mark")
            assert process.wait(20) == 0, process.log_tail()
            seen[name] = [float(word) for word in process.log_tail().split()]
    finally:
        made.stop()
    for name, ahead_s in (("worker-1", 7200.0), ("worker-2", -60.0), ("worker-3", 0.0)):
        of_time, of_datetime, monotonic = seen[name]
        assert of_time - time.time() == pytest.approx(ahead_s, abs=20) and abs(of_datetime - of_time) <= 1
        assert 0 <= time.monotonic() - monotonic < 30, "monotonic clocks stay the machine's"
