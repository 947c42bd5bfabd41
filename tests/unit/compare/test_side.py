"""What the words of a side mean."""

import pytest

from jobharness.compare.pairs import pairs
from jobharness.compare.side import side
from jobharness.errors import InvalidRequest


def test_git_ref_alone():
    assert (side(["main"]).ref, side(["main"]).changes, side(["HEAD~1"]).ref) == ("main", {}, "HEAD~1")


def test_dot_is_the_project_as_it_lies_there():
    assert side(["."]).ref is None
    assert side(["."]).name == "this project"


@pytest.mark.parametrize(
    ("word", "changes"),
    [
        ("queue.settings.task_acks_late=false", {"queue__settings__task_acks_late": False}),
        ("queue.workers=4", {"queue__workers": 4}),
        ("workload.duration=5s", {"workload__duration": "5s"}),
        ('queue.env.MODE="1"', {"queue__env__MODE": "1"}),
        ("seed=3", {"seed": 3}),
    ],
)
def test_change_of_the_scenario_has_its_value_as_toml_has_it(word, changes):
    assert side([word]).changes == changes


@pytest.mark.parametrize("word", ["celery==5.4", "celery[redis]>=5.5", "rq~=1.15", "kombu<5.4"])
def test_version_is_a_requirement(word):
    assert side([word]).requirements == (word,)


def test_side_can_be_several_of_them():
    found = side(["main", "queue.workers=2", "celery==5.4"])
    assert (found.ref, found.changes, found.requirements) == ("main", {"queue__workers": 2}, ("celery==5.4",))


@pytest.mark.parametrize("words", [["main", "other"], ["--force"], ["two words"]])
def test_what_is_no_side_is_refused(words):
    with pytest.raises(InvalidRequest):
        side(words)


def test_both_runs_of_a_pair_have_one_seed_and_a_coin_decides_which_goes_first():
    made = [pair for pair, _ in zip(pairs(7), range(200), strict=False)]
    assert [pair.seed for pair in made[:3]] == [7, 8, 9]
    assert 70 < sum(pair.before_first for pair in made) < 130
    assert made == [pair for pair, _ in zip(pairs(7), range(200), strict=False)]
