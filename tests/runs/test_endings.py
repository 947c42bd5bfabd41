"""However the harness ends, nothing that it started outlives it, and what was recorded is kept."""

import gc
import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from jobharness.agent.recorder import Recorder
from jobharness.harness import Harness
from jobharness.history import log
from jobharness.history.event import Kind
from jobharness.history.follow import Follower
from jobharness.history.log import gather, load
from jobharness.processes.disk import may_mount, unmount_marked
from jobharness.processes.guardian import sweep
from jobharness.processes.process import wait_for
from jobharness.runner import run
from tests.support.leftovers import leftovers, mounts_in

pytestmark = pytest.mark.real

GONE_WITHIN_S = 5
ROOT = Path(__file__).parents[2]


def running(project):
    """The folder of the run that has just begun, or None."""
    logs = sorted((project / "reports").glob("*/logs"))
    return logs[-1].parent if logs else None


def phase_of(folder):
    """The phase that a run has got to, by its own records."""
    if folder is None or not (folder / "records").exists():
        return ""
    try:
        history = gather(folder / "records", {})
    except OSError:
        return ""  # It is just being saved.
    phases = history.of(Kind.RUN_PHASE).collect()["text"]
    return history.text(int(phases[-1])) if len(phases) else ""


def await_job(project):
    """Wait until a job of the run that has just begun is running; returns the run's folder."""
    assert wait_for(lambda: running(project) is not None, 30)
    folder = running(project)
    assert wait_for((folder / "records").exists, 10)
    follower = Follower(folder / "records")
    assert wait_for(lambda: any(one.kind is Kind.JOB_RUNNING for one in follower.poll()), 30)
    return folder


def test_without_its_guardian_a_killed_harness_would_leave_processes_behind(project, start):
    """The defect that the check above must see: nobody cleans up."""
    harness = start()
    folder = await_job(project)
    (guardian,) = [line for line in leftovers(folder.name) if "jobharness.processes.guardian" in line]
    os.kill(int(guardian.split()[0]), signal.SIGKILL)
    harness.kill()
    harness.wait()
    try:
        left = leftovers(str(project))
        assert any("redis-server" in line for line in left) and any("celery" in line for line in left), left
        assert mounts_in(project) or not may_mount()
    finally:
        sweep(folder.name)
        unmount_marked(folder.name)


def test_interrupted_run_leaves_no_process_behind_and_keeps_its_history(project, start):
    harness = start()
    folder = await_job(project)
    harness.send_signal(signal.SIGINT)
    assert harness.wait(30) == 130
    assert leftovers(str(project)) == []
    history = load(folder / "history.parquet")
    assert [history.text(text) for text in history.of(Kind.RUN_CUT_SHORT).collect()["text"]] == ["interrupted"]
    assert history.of(Kind.JOB_RUNNING).collect().height >= 1
    assert not (folder / "records").exists()


def test_impatient_second_ctrl_c_leaves_no_process_behind_either(project, start):
    harness = start()
    folder = await_job(project)
    harness.send_signal(signal.SIGINT)
    assert wait_for(lambda: phase_of(folder) == "stop" or harness.poll() is not None, 20)
    harness.send_signal(signal.SIGINT)
    assert harness.wait(30) == 130
    assert wait_for(lambda: not leftovers(str(project)), GONE_WITHIN_S)
    assert (folder / "history.parquet").exists()


def test_ctrl_c_while_the_history_is_saved_comes_after_it(project, scenario, monkeypatch):
    save = log.save

    def interrupted_save(*told):
        signal.raise_signal(signal.SIGINT)
        save(*told)

    monkeypatch.setattr(log, "save", interrupted_save)
    with pytest.raises(KeyboardInterrupt) as caught:
        Harness(project).run(scenario())
    assert load(running(project) / "history.parquet").of(Kind.JOB_FINISHED).collect().height == 20
    assert (running(project) / "report.html").exists()
    assert not (running(project) / "records").exists()
    assert "What was seen until then" in "".join(caught.value.__notes__)


def test_ctrl_c_before_anything_was_started_leaves_no_folder(project, scenario, monkeypatch):
    class Interrupted(ExitStack):
        def __enter__(self):
            signal.raise_signal(signal.SIGINT)
            return super().__enter__()

    monkeypatch.setattr(run, "ExitStack", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        Harness(project).run(scenario())
    assert [path.name for path in (project / "reports").iterdir() if path.is_dir()] == []


def test_leftovers_sees_a_process_by_its_environment_and_by_its_command_line(tmp_path):
    words = str(tmp_path)
    by_command = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", words])
    by_environment = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], env={**os.environ, "X": words})
    try:
        assert wait_for(lambda: len(leftovers(words)) == 2, 10)
    finally:
        for process in (by_command, by_environment):
            process.kill()
    assert wait_for(lambda: leftovers(words) == [], 10)  # Zombies do not count.
    for process in (by_command, by_environment):
        process.wait()


def test_recorder_of_the_harness_does_not_keep_files_open_for_ever(tmp_path):
    """One recorder a run: many runs in one process must not run out of file descriptors."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    for number in range(50):
        recorder = Recorder(tmp_path, "harness", f"harness-{number}")
        recorder.record(Kind.RUN_PHASE, text=recorder.text("a phase"))
        recorder.close()
    del recorder
    gc.collect()
    assert len(list(Path("/proc/self/fd").iterdir())) - before < 10


def test_run_that_is_ended_by_sigterm_is_aborted(project, start):
    """SIGTERM is how CI systems cancel, and how Kubernetes ends a Job."""
    harness = start()
    folder = await_job(project)
    harness.send_signal(signal.SIGTERM)
    assert harness.wait(30) == 3
    assert leftovers(str(project)) == []
    history = load(folder / "history.parquet")
    assert [history.text(text) for text in history.of(Kind.RUN_ABORTED).collect()["text"]] == ["SIGTERM"]
    assert [history.text(text) for text in history.of(Kind.RUN_CUT_SHORT).collect()["text"]] == ["aborted by SIGTERM"]
