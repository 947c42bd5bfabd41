"""The environment of the app's processes."""

import json
import os

import pytest

from jobharness.errors import InvalidRequest
from jobharness.runner.surroundings import AGENT_PATH


def test_placeholders_are_filled_in_wherever_they_stand(make_surroundings):
    around = make_surroundings(env={"URL": "{broker.url}", "TWICE": "{broker.url},{broker.url}", "PLAIN": "as it is"})
    env = around.for_process("worker", "worker-1")
    assert (env["URL"], env["TWICE"], env["PLAIN"]) == ("redis://here", "redis://here,redis://here", "as it is")


@pytest.mark.parametrize("text", ['{"rate": 1.5}', "{}", "{x}", "{A.B}", "a } b {", "{1.5}", "${HOME}"])
def test_other_braces_stay_as_they_are(make_surroundings, text):
    assert make_surroundings(env={"OPTIONS": text}).for_process("worker", "w")["OPTIONS"] == text


@pytest.mark.parametrize("text", ["{broker.ulr}", "{x} and {broker.ulr}", "{broker.url}{broker.ulr}"])
def test_placeholder_that_does_not_exist_is_refused_with_its_key_and_the_nearest_one(make_surroundings, text):
    with pytest.raises(
        InvalidRequest,
        match=r"queue.env.URL: nothing is called \{broker.ulr\}; did you mean \{broker.url\}\? \(known: broker.url\)",
    ):
        make_surroundings(env={"URL": text})


def test_filled_in_value_is_not_filled_in_again(make_surroundings):
    around = make_surroundings(places={"run.folder": "/reports/{broker.url}"}, env={"DATA": "{run.folder}/x"})
    assert around.for_process("worker", "w")["DATA"] == "/reports/{broker.url}/x"


def test_agent_is_first_on_the_path_and_the_users_own_path_stays(make_surroundings, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/of/the/user")
    env = make_surroundings().for_process("worker", "worker-1")
    assert env["PYTHONPATH"].split(os.pathsep) == [str(AGENT_PATH), "/of/the/user"]


def test_agent_is_told_who_it_is_and_what_to_lay_over(make_surroundings, folder):
    env = make_surroundings(settings={"task_acks_late": True}).for_process("worker", "worker-1")
    assert (env["JOBHARNESS_ROLE"], env["JOBHARNESS_NAME"], env["JOBHARNESS_HISTORY"]) == (
        "worker",
        "worker-1",
        str(folder.records),
    )
    assert json.loads(env["JOBHARNESS_SETTINGS"]) == {"task_acks_late": True}


def test_server_of_the_run_gets_no_agent(make_surroundings):
    env = make_surroundings().without_agent()
    assert env == dict(os.environ)
    assert str(AGENT_PATH) not in env.get("PYTHONPATH", "")


def test_app_may_live_in_another_environment(make_surroundings, tmp_path, python):
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    (tmp_path / "venv" / "bin" / "python").symlink_to(python)
    around = make_surroundings(python="venv")
    assert around.python == tmp_path / "venv" / "bin" / "python"
    assert around.for_process("worker", "w")["PATH"].startswith(f"{tmp_path}/venv/bin{os.pathsep}")
    assert make_surroundings(python=str(python)).python == python


def test_interpreter_that_does_not_exist_is_refused(make_surroundings):
    with pytest.raises(InvalidRequest, match=r"queue\.python: .*/venv is neither a virtual environment nor a Python interpreter"):
        make_surroundings(python="venv")


def test_folder_that_does_not_exist_is_refused(make_surroundings):
    with pytest.raises(InvalidRequest, match=r"queue\.folder: there is no folder .*/none"):
        make_surroundings(folder="none")


def test_command_prefers_the_script_beside_the_apps_interpreter(make_surroundings, tmp_path, python):
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    (tmp_path / "venv" / "bin" / "python").symlink_to(python)
    (tmp_path / "venv" / "bin" / "work").touch()
    around = make_surroundings(python="venv")
    assert around.command(["work", "--url", "{broker.url}"], "queue.command") == [
        f"{tmp_path}/venv/bin/work",
        "--url",
        "redis://here",
    ]
    assert around.command(["sleep", "1"], "queue.command") == ["sleep", "1"]
    assert around.command([], "queue.command") == []
