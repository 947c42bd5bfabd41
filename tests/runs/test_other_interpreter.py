"""The app lives in an environment of its own, with another Python: the agent works there without the harness."""

import subprocess

import pytest

from tests.support.environments import environment
from tests.support.interpreters import VERSIONS, interpreter

pytestmark = pytest.mark.real


@pytest.fixture(scope="session")
def oldest():
    """The oldest interpreter of this machine, and its version."""
    for version in VERSIONS:
        path = interpreter(version)
        if path is not None:
            return path, version
    raise AssertionError("there is no Python at all")


def test_celery_app_in_another_environment_is_run_and_recorded_there(run, scenario, oldest, project):
    python, version = oldest
    venv = environment("celery[redis]>=5.3,<6", python=python)
    killed = [{"kind": "kill", "target": "child", "on": "job.running", "nth": 3}]
    settings = {"task_acks_late": True, "task_reject_on_worker_lost": True}
    result = run(
        scenario(
            queue={"python": str(venv), "pool": "prefork", "concurrency": 1, "settings": settings},
            contract={"delivery": "at-least-once", "recovery": "15s"},
            fault=killed,
        )
    )
    assert str(result.verdict.word) == "holds", result.verdict.findings
    assert result.about["app"]["python"].startswith(version + ".")
    assert result.verdict["faults_hit"].counts["hit"] == 1
    # Nothing of the harness was importable there.
    done = subprocess.run(
        [venv / "bin" / "python", "-c", "import jobharness"], cwd=project, capture_output=True, text=True, check=False
    )
    assert "ModuleNotFoundError" in done.stderr
