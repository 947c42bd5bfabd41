"""What a fault does to processes reaches them, whatever became of their parents."""

import subprocess
import sys
from pathlib import Path
from random import Random
from types import SimpleNamespace

import psutil
import pytest

from jobharness.faults.kill import Kill
from jobharness.processes.process import Process, wait_for
from jobharness.runner.fleet import State, Worker
from jobharness.runner.scene import RunScene

WITH_A_CHILD = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']).wait()"


@pytest.fixture
def worker(tmp_path):
    process = Process(
        "worker-1", [sys.executable, "-c", WITH_A_CHILD], env={}, folder=tmp_path, log=tmp_path / "log", mark="test-scene"
    )
    assert wait_for(lambda: len(process.children()) == 1, 60)
    children = process.children()
    yield Worker("worker-1", process=process, state=State.READY)
    process.stop(grace_s=0)
    for child in children:
        if child.is_running():
            child.kill()


def test_kill_of_a_tree_reaches_the_pool_of_a_worker_that_is_already_dead(worker):
    """A child of a killed process is nobody's child any more: it must be remembered from before."""
    assert isinstance(worker.process, Process)
    (child,) = worker.process.children()
    fleet = SimpleNamespace(workers=[worker], ready_workers=lambda: [worker], whole=True, ending=lambda worker: None)
    scene = RunScene("kill#1", fleet, None, (), None, None, None, Path("/nowhere"), Random(1))
    struck = Kill(target="tree").strike(scene, None)
    assert [target.pid for target in struck] == [worker.process.pid, child.pid]
    assert wait_for(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, 60)
    assert not scene.alive(struck[1])


def test_target_that_was_never_seen_is_left_alone(worker):
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        fleet = SimpleNamespace(workers=[worker], ready_workers=lambda: [worker], whole=True, ending=lambda worker: None)
        scene = RunScene("kill#1", fleet, None, (), None, None, None, Path("/nowhere"), Random(1))
        (target,) = scene.children("worker-1")
        scene.signal(target.__class__("worker-1", bystander.pid, child=True), 9)
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()
