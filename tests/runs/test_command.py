"""`jobharness run` as a user runs it: Celery's defaults lose jobs, hardened settings do not, and the exit code says which."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.leftovers import leftovers

pytestmark = pytest.mark.real

KILLED = {
    "queue": {"pool": "prefork", "concurrency": 2},
    "workload": {"job": [{"task": "naps.nap", "args": [0.1]}]},
    "fault": [{"kind": "kill", "on": "job.running", "nth": 3}],
}
HARDENED = {
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
    "worker_prefetch_multiplier": 1,
    "broker_transport_options": {
        "visibility_timeout": 2,
        "unacked_restore_interval": 1,
        "unacked_restore_throttle": 1,
        "unacked_mutex_expire": 5,
    },
}


@pytest.fixture
def command(project):
    """Runs the command on a scenario file; returns exit code, output and the JSON."""

    def run(name):
        script = Path(sys.executable).with_name("jobharness")
        done = subprocess.run(
            [script, "run", name, "--json", "out.json", "--reports", "reports"],
            cwd=project,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert leftovers(str(project)) == []
        assert "Traceback" not in done.stdout + done.stderr, done.stderr
        answer = json.loads((project / "out.json").read_text()) if (project / "out.json").exists() else None
        return done.returncode, done.stdout + done.stderr, answer

    return run


def test_defaults_exit_with_1_and_name_the_lost_jobs(command, written, scenario, project):
    code, output, _ = command(written(scenario("Defaults", **KILLED)))
    assert code == 1, output
    (path,) = (project / "reports").glob("*/verdict.json")
    verdict = json.loads(path.read_text())
    finding = next(one for one in verdict["findings"] if one["contract"] == "at_least_once")
    assert finding["word"] == "broken" and finding["counts"]["lost"] + finding["counts"]["stuck"] == len(finding["offences"]) > 0
    # Those that ran when the worker was killed are among the lost ones, each with its life story.
    stories = [[event["event"] for event in story["events"]] for story in finding["stories"]]
    assert any("job.running" in story and "job.finished" not in story and "fault.hit" in story for story in stories)
    shown = [offence["job"] for offence in finding["offences"] if offence["job"] in output]
    assert shown, "the output names none of the lost jobs"


def test_hardened_settings_exit_with_0(command, written, scenario):
    """One job at a time: with two, the main process may be killed while the broker's answer is on its way, and Celery loses that job."""
    queue = {"pool": "prefork", "concurrency": 1, "settings": HARDENED}
    code, output, _ = command(
        written(scenario("Hardened", **{**KILLED, "queue": queue}, contract={"delivery": "at-least-once", "recovery": "20s"}))
    )
    assert code == 0, output


def test_fault_that_never_fires_exits_with_3(command, written, scenario):
    code, output, _ = command(written(scenario("Vacuous", fault=[{"kind": "kill", "at": "1h"}], workload={"duration": "200ms"})))
    assert code == 3, output
    assert "never fired" in output


def test_mistake_in_the_scenario_exits_with_2_and_starts_nothing(command, project, written, scenario):
    name = written(scenario())
    (project / name).write_text((project / name).read_text().replace("adapter", "adaptor"))
    code, output, _ = command(name)
    assert code == 2 and "did you mean 'adapter'?" in output
    assert not (project / "reports").exists()


def test_app_that_does_not_import_exits_with_2_and_shows_its_own_traceback_once(project, written, scenario):
    (project / "broken.py").write_text("import naps\n\nraise RuntimeError('the app is broken')\n")
    name = written(scenario(queue={"app": "broken:app"}))
    script = Path(sys.executable).with_name("jobharness")
    done = subprocess.run([script, "run", name], cwd=project, capture_output=True, text=True, timeout=60, check=False)
    output = done.stdout + done.stderr
    assert done.returncode == 2, output
    assert output.count("Traceback") == 1 and output.count("RuntimeError: the app is broken") == 1
    assert "jobharness_agent" not in output
