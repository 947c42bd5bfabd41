"""The workflows that `jobharness init --ci` writes."""

import pytest
import yaml

from jobharness.detect.workflow import PLACES, write_workflow


def steps(provider, text):
    whole = yaml.safe_load(text)
    if provider == "gitlab":
        return whole["jobharness"]["script"]
    return [step["run"] for step in whole["jobs"]["scenarios"]["steps"] if "run" in step]


@pytest.mark.parametrize("provider", PLACES)
def test_a_workflow_installs_what_the_app_and_its_broker_need_and_runs_the_scenarios(tmp_path, provider):
    (tmp_path / "requirements.txt").touch()
    path, written = write_workflow(provider, tmp_path, "celery", "redis")
    assert (path, written) == (tmp_path / PLACES[provider], True)
    install, ours, gate = steps(provider, path.read_text())
    assert install == "pip install -r requirements.txt"
    assert ours == "pip install 'jobharness[celery,redis,embedded,upstream]'"
    assert gate.startswith("pytest --jobharness --jobharness-markdown ")
    assert gate.endswith("--junitxml=jobharness.xml scenarios")
    assert "@" not in path.read_text().replace("@v4", "").replace("@v5", "")


@pytest.mark.parametrize("provider", PLACES)
def test_a_server_that_no_wheel_carries_is_installed_and_an_extra_that_does_not_exist_is_not_asked_for(tmp_path, provider):
    path, _ = write_workflow(provider, tmp_path, "python", "nats")
    server, ours, _ = steps(provider, path.read_text())
    assert server.endswith("apt-get install -y nats-server")
    assert ours == "pip install 'jobharness[nats,embedded,upstream]'"


@pytest.mark.parametrize("provider", PLACES)
def test_a_workflow_that_is_there_is_left_alone(tmp_path, provider):
    path = tmp_path / PLACES[provider]
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    assert write_workflow(provider, tmp_path, "celery", "redis") == (path, False)
    assert path.read_text() == "mine"


def test_reports_are_kept_and_what_is_red_is_shown_where_the_provider_shows_it(tmp_path):
    github = yaml.safe_load(write_workflow("github", tmp_path, "rq", "redis")[0].read_text())
    upload = github["jobs"]["scenarios"]["steps"][-1]
    assert (upload["if"], upload["with"]["path"]) == ("always()", "reports/")
    assert "$GITHUB_STEP_SUMMARY" in github["jobs"]["scenarios"]["steps"][-2]["run"]
    artifacts = yaml.safe_load(write_workflow("gitlab", tmp_path, "rq", "redis")[0].read_text())["jobharness"]["artifacts"]
    assert (artifacts["when"], artifacts["reports"]) == ("always", {"junit": "jobharness.xml"})
