"""The subcommands that start nothing, and how an error ends."""

import json

import pytest
from typer.testing import CliRunner

from jobharness.cli import doctor, main
from jobharness.errors import JobharnessBug

SCENARIO = """
title = "A job [charge] is killed"
known_gap = "acknowledged early"
queue = { adapter = "celery", app = "shop:app", workers = 2 }
broker = { kind = "redis" }
workload = { arrivals = { rate = "5/s" }, duration = "1s", job = [{ task = "shop.charge" }] }
fault = [{ kind = "kill", target = "worker", on = "job.running", times = 3 }]
"""


@pytest.fixture
def call(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(main.app, words)


def test_version_is_printed(call):
    assert call("--version").output.startswith("jobharness 0.")


@pytest.mark.parametrize("words", [["run"], ["nonsense"], ["run", "x.toml", "--seed", "many"], ["run", "x.toml", "--nonsense"]])
def test_bad_usage_is_exit_code_2(call, words):
    assert call(*words).exit_code == 2


def test_scenarios_are_listed_with_all_that_matters(call, tmp_path):
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios/killed.toml").write_text(SCENARIO)
    answer = call("scenarios")
    assert answer.exit_code == 0
    for words in (
        "scenarios/killed.toml",
        "A job [charge] is killed",
        "celery, 2 workers",
        "redis",
        "kill worker on job.running x3",
    ):
        assert words in answer.output
    assert "acknowledged early" in answer.output


def test_scenario_that_cannot_be_used_is_listed_with_its_mistake(call, tmp_path):
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios/good.toml").write_text(SCENARIO)
    (tmp_path / "scenarios/worse.toml").write_text("titel = 1")
    answer = call("scenarios")
    assert answer.exit_code == 2
    assert "A job [charge] is killed" in answer.output
    assert "titel: unknown key; did you mean 'title'?" in answer.output


def test_schema_is_json_and_names_what_the_model_requires(call):
    schema = json.loads(call("schema").output)
    assert set(schema["required"]) == {"title", "queue", "broker", "workload"}
    assert set(schema["properties"]) >= {"fault", "contract", "gate", "before", "known_gap"}


@pytest.mark.parametrize("error", [JobharnessBug("the ledger is empty"), ZeroDivisionError("division by zero")])
def test_bug_of_ours_is_said_to_be_ours_with_its_details_in_a_file(call, tmp_path, monkeypatch, error):
    def fail():
        raise error

    monkeypatch.setattr("jobharness.cli.doctor.examine", fail)
    answer = call("doctor")
    assert answer.exit_code == 3
    assert f"This is a bug in jobharness, not in your app or scenario: {type(error).__name__}: {error}" in answer.output
    assert "Please report it" in answer.output
    assert "Traceback" not in answer.output
    (details,) = (tmp_path / "reports").glob("jobharness-bug-*.txt")
    assert "in fail" in details.read_text()


def test_interruption_is_exit_code_130(call, monkeypatch):
    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr("jobharness.cli.doctor.examine", interrupt)
    assert call("doctor").exit_code == 130


def test_every_queue_on_each_of_its_brokers_is_a_row_of_the_doctor():
    pairs = [row.what for row in doctor.rows() if row.section == doctor.PAIRS]
    assert "celery on redis" in pairs
    assert len(pairs) == len(set(pairs))


def test_what_is_missing_names_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr("jobharness.cli.doctor.version", _not_installed)
    row = doctor._library("celery")
    assert (row.state, row.found, row.fix) == ("missing", "not installed", "pip install 'jobharness[celery]'")


def test_pair_lacks_what_its_queue_and_its_broker_lack(monkeypatch):
    monkeypatch.setattr("jobharness.cli.doctor.version", _not_installed)
    absent = [doctor.Row("Broker redis", "binary", "missing", "not found", "apt-get install redis-server")]
    row = doctor._pair("celery", "redis", absent)
    assert (row.state, row.fix) == ("missing", "pip install 'jobharness[celery]' && apt-get install redis-server")


def _not_installed(name):
    raise doctor.PackageNotFoundError(name)
