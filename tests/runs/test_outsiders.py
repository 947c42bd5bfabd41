"""Processes that the run did not start: struck only where the scenario names them and allows them."""

import subprocess
import sys

import pytest

from jobharness.errors import InvalidRequest
from jobharness.harness import Harness
from jobharness.history.event import AT_WORK, Kind
from tests.support.evidence import rows
from tests.support.project import SCENARIO, Project, with_top

pytestmark = pytest.mark.real

FAULT = """
[[process]]
name = "sidecar"
%s

[[fault]]
kind = "kill"
target = "process:sidecar"
at = "200ms"
"""


@pytest.fixture
def sidecar(tmp_path):
    """A process of somebody else, by a command line that is like no other."""
    word = f"sidecar-of-{tmp_path.name}"
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", word])
    (tmp_path / "sidecar.pid").write_text(str(process.pid))
    yield process, word, tmp_path / "sidecar.pid"
    process.kill()
    process.wait()


@pytest.fixture
def harness(tmp_path, monkeypatch):
    """`run(scenario)` and `rehearse(scenario)` of a small project."""
    project = Project(tmp_path / "project")
    monkeypatch.chdir(project.folder)

    def written(named, allowed):
        text = with_top(SCENARIO, f"allow_processes = {allowed!r}") + FAULT % named
        return project.write("jobharness_scenarios/outside.toml", text).relative_to(project.folder)

    return lambda named, allowed: (Harness(project.folder, tmp_path / "reports"), written(named, allowed))


@pytest.mark.parametrize("by", ["pid_file", "match"])
def test_named_and_allowed_process_is_struck(sidecar, harness, by):
    process, word, pid_file = sidecar
    run, scenario = harness(f'pid_file = "{pid_file}"' if by == "pid_file" else f'match = "*{word}"', [f"*{word}*"])
    assert any(f"would strike process {process.pid} (" in line for line in run.rehearse(scenario))
    assert process.poll() is None
    result = run.run(scenario)
    assert process.wait(10) == -9
    (hit,) = rows(result.history, Kind.FAULT_HIT)
    assert (hit["value"], result.history.text(hit["group"])) == (process.pid, AT_WORK)


def test_process_that_the_allow_list_does_not_have_is_left_alone(sidecar, harness):
    process, _, pid_file = sidecar
    run, scenario = harness(f'pid_file = "{pid_file}"', ["*celery*"])
    assert any("would strike nobody now" in line for line in run.rehearse(scenario))
    result = run.run(scenario)
    assert process.poll() is None and not rows(result.history, Kind.FAULT_BEGIN)
    assert result.verdict["faults_hit"].sentence == "kill#1 never fired"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"allow_processes": ()}, r"is struck only where `allow_processes` allows it"),
        ({"process": ()}, r"no \[\[process\]\] called 'sidecar'"),
        ({"hosts": ("redis.example.com",)}, r"reached in staging alone; add environment = .staging"),
        (
            {"fault": [{"kind": "pause", "target": "process:sidecar", "at": "1s"}]},
            r"nothing would undo it if this process were killed",
        ),
    ],
)
def test_what_could_strike_by_accident_is_refused(sidecar, harness, change, message):
    run, scenario = harness(f'pid_file = "{sidecar[2]}"', ["*sidecar*"])
    with pytest.raises(InvalidRequest, match=message):
        run.check(scenario, **change)


def test_broker_elsewhere_is_refused_unless_it_is_a_staging_host_that_is_listed(sidecar, harness):
    run, scenario = harness(f'pid_file = "{sidecar[2]}"', ["*sidecar*"])
    elsewhere = {"broker__url": "redis://redis.staging.example.com:6379/0"}
    with pytest.raises(InvalidRequest, match=r"is not on this machine.*environment = .staging. and list the host in `hosts`"):
        run.check(scenario, **elsewhere)
    with pytest.raises(InvalidRequest, match="is not on this machine"):
        run.check(scenario, environment="staging", hosts=("other.example.com",), **elsewhere)
    run.check(scenario, environment="staging", hosts=("redis.staging.example.com",), **elsewhere)
