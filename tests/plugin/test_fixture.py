"""The `harness` fixture: tests written by hand, which need no flag."""

import pytest

from tests.support.project import KILL, LOSING, SCENARIO, Project

TESTS = """
import pytest

from jobharness import Scenario


@pytest.fixture(scope="module")
def killed(harness):
    return harness.run("drills/loses.toml")


def test_result_holds_verdict_history_and_metrics(killed):
    assert str(killed.verdict.word) == "broken"
    counts = killed.verdict["at_least_once"].counts
    assert counts["lost"] + counts["stuck"] >= 1
    assert killed.metrics["jobs.acknowledged"].value == 3
    assert len(killed.history) > 10
    killed.expect.attempts_bounded(1)


def test_broken_promise(killed):
    killed.expect.at_least_once()


def test_changes_and_a_scenario_in_python(harness):
    plain = harness.run("drills/holds.toml", workers=2, seed=9)
    built = Scenario.model_validate(plain.scenario.model_dump(exclude_unset=True) | {"title": "Built in Python"})
    assert plain.scenario.queue.workers == 2
    again = harness.run(built)
    assert again.scenario.seed == 9
    again.expect.exactly_once()
    again.expect.verdict("holds")


def test_unknown_change(harness):
    harness.run("drills/holds.toml", wrokers=4)


def test_missing_file(harness):
    harness.run("drills/nope.toml")
"""


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("by_hand"))
    project.write("drills/loses.toml", LOSING + KILL)
    project.write("drills/holds.toml", SCENARIO)
    project.write("tests/test_by_hand.py", TESTS)
    return project.pytest("-rA")


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("test_result_holds_verdict_history_and_metrics", "PASSED"),
        ("test_broken_promise", "FAILED"),
        ("test_changes_and_a_scenario_in_python", "PASSED"),
        ("test_unknown_change", "FAILED"),
        ("test_missing_file", "FAILED"),
    ],
)
def test_expectations_pass_and_fail_as_they_should(by_hand, name, word):
    assert f"{word} tests/test_by_hand.py::{name}" in by_hand.stdout, by_hand.stdout


@pytest.mark.real
def test_broken_expectation_shows_the_life_story_and_the_command_and_not_our_code(by_hand):
    start = by_hand.stdout.index("_ test_broken_promise _")
    failure = by_hand.stdout[start : by_hand.stdout.index("\n____", start + 30)]
    for words in (
        "killed.expect.at_least_once()",
        "at_least_once: broken: ",
        "of 3 acknowledged jobs",
        "job.running",
        "fault.hit",
        "repeat: pytest tests/test_by_hand.py::",
    ):
        assert words in failure
    assert "result.py" not in failure


@pytest.mark.real
def test_mistake_in_the_call_is_one_message_at_the_tests_own_line(by_hand):
    assert "drills/holds.toml: wrokers: cannot be changed: unknown name; did you mean 'workers'?" in by_hand.stdout
    assert "drills/nope.toml: there is no such file" in by_hand.stdout
    assert "jobharness/harness.py" not in by_hand.stdout


@pytest.mark.real
def test_runs_by_hand_are_in_the_summary_without_the_flag(by_hand):
    table = by_hand.stdout[by_hand.stdout.rindex("slowest recovery") :].split("\n\n")[0]
    assert [line.split()[0] for line in table.splitlines()[1:]] == ["loses", "holds", "Built"]
