"""The error tree: three branches, one cause per class, messages that say what to do next."""

import inspect

import pytest

from jobharness import errors
from jobharness.errors import EnvironmentFailed, InvalidRequest, JobharnessBug, JobharnessError, nearest

CLASSES = [value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, Exception)]


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_is_on_one_branch_and_has_its_exit_code(kind):
    if kind is JobharnessError:
        return
    branches = [branch for branch in (InvalidRequest, EnvironmentFailed, JobharnessBug) if issubclass(kind, branch)]
    assert len(branches) == 1
    assert kind.exit_code == {InvalidRequest: 2, EnvironmentFailed: 3, JobharnessBug: 3}[branches[0]]


@pytest.mark.parametrize(("name", "guess"), [("wokers", "workers"), ("Kill", "kill"), ("zzz", None), ("", None)])
def test_nearest_known_name(name, guess):
    assert nearest(name, ["workers", "kill", "queue"]) == guess


def test_unknown_name_says_the_noun_the_guess_and_what_there_is():
    error = errors.UnknownName("kind of fault", "kil", {"kill", "terminate"})
    assert str(error) == "there is no kind of fault called 'kil'. Did you mean 'kill'? Known: kill, terminate."
    assert (error.noun, error.name, error.known) == ("kind of fault", "kil", ["kill", "terminate"])


def test_scenario_invalid_names_file_key_and_problem():
    assert str(errors.ScenarioInvalid("a.toml", "queue.workers", "is missing")) == "a.toml: queue.workers: is missing"
    assert str(errors.ScenarioInvalid("a.toml", "", "is empty")) == "a.toml: is empty"


def test_process_failed_ends_with_the_last_lines_of_its_log():
    error = errors.ProcessFailed("worker-1", "exited with code 1", "Traceback\nboom")
    assert str(error) == "worker-1 exited with code 1\nIts last lines:\nTraceback\nboom"
    assert "last lines" not in str(errors.ProcessFailed("worker-1", "exited with code 1"))


def test_port_taken_says_by_whom_and_what_to_do():
    assert str(errors.PortTaken(6379, "redis-server (process 7)")).startswith(
        "port 6379 on 127.0.0.1 is already in use by redis-server (process 7). "
    )
    assert "Leave `port` out" in str(errors.PortTaken(6379, ""))


def test_extra_missing_says_how_to_install_it():
    assert str(errors.ExtraMissing("redis", "redis", "the broker kind 'redis'")).endswith("pip install 'jobharness[redis]'")
