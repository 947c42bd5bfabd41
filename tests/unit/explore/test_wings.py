"""A stage that is set beforehand goes to who wants it, and is struck where nobody does."""

from concurrent.futures import Future
from contextlib import contextmanager

import pytest

from jobharness.errors import BrokerFailed
from jobharness.explore import wings
from jobharness.explore.wings import Wings


@pytest.fixture
def said(monkeypatch):
    """What happened to stages, in order; one at a path called `broken` cannot be set."""
    said = []

    @contextmanager
    def stage_in(setting, path):
        path.mkdir()
        if path.name == "broken":
            raise BrokerFailed("it is not there")
        said.append(f"{path.name} set")
        yield path.name
        said.append(f"{path.name} struck")

    monkeypatch.setattr(wings, "stage_in", stage_in)
    return said


def test_stage_is_taken_once_and_struck_when_its_trial_is_over(said, tmp_path):
    with Wings() as stages:
        stages.set(None, [tmp_path / "2"])
        with stages.take(tmp_path / "2") as stage:
            assert stage == "2"
            assert stages.take(tmp_path / "2") is None
            assert said == ["2 set"]
        assert said == ["2 set", "2 struck"]
    assert said == ["2 set", "2 struck"]


def test_stage_that_nobody_wants_is_struck_and_leaves_nothing(said, tmp_path):
    with Wings() as stages:
        stages.set(None, [tmp_path / "2", tmp_path / "3", tmp_path / "broken"])
        stages.keep([tmp_path / "3"])
        assert "2 struck" in said and "3 struck" not in said
    assert "3 struck" in said
    assert list(tmp_path.iterdir()) == []


def test_what_could_not_be_set_is_said_to_who_takes_it(said, tmp_path):
    with Wings() as stages:
        stages.set(None, [tmp_path / "broken"])
        with pytest.raises(BrokerFailed, match="not there"), stages.take(tmp_path / "broken"):
            pass


def test_stages_wait_for_what_goes_first_but_not_for_ever(said, tmp_path, monkeypatch):
    first = Future()
    with Wings() as stages:
        stages.set(None, [tmp_path / "2"], first)
        assert said == []
        first.set_result(None)
        with stages.take(tmp_path / "2"):
            assert said == ["2 set"]
    monkeypatch.setattr(wings, "HEAD_START_S", 0.01)
    with Wings() as stages:
        stages.set(None, [tmp_path / "3"], Future())
        with stages.take(tmp_path / "3"):
            assert said[-1] == "3 set"
