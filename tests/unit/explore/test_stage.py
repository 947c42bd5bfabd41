"""What is done on a stage, where what it is done to is gone."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from jobharness.errors import ProcessFailed
from jobharness.explore.stage import Stage


@pytest.mark.parametrize("victim", ["tree", "main", "child"])
def test_worker_that_ended_by_itself_cannot_be_killed_and_that_is_said(victim):
    """It makes its own trial tell nothing, and leaves the map and its other trials alone."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    stage = Stage.__new__(Stage)
    stage.fleet = SimpleNamespace(workers=[SimpleNamespace(process=SimpleNamespace(pid=process.pid))])
    with pytest.raises(ProcessFailed, match="gone before it could be killed"):
        stage.kill(victim)
