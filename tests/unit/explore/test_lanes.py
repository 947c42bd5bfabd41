"""Who is tried at the same time: a trial that only waits leaves its lane to the next."""

from threading import Event, Lock
from types import SimpleNamespace

import pytest

from jobharness.explore import crash_map
from jobharness.explore.crash_map import Explorer, _Try
from jobharness.explore.outcome import NEVER_CAME, Outcome, Word
from jobharness.explore.points import Act, Point
from jobharness.explore.wings import Wings
from jobharness.scenario.model import CrashmapSpec

LONG_S = 20.0
NEVER = Outcome(Word.UNKNOWN, where=NEVER_CAME)
POINTS = [Point(step, "before", "tree", f"step {step}", Act("hold", {})) for step in range(4)]


@pytest.fixture
def tried(monkeypatch, tmp_path):
    """`tried(attempt, **spec)`: every point, by an `attempt(point, rests)`, on a machine of one lane and two places at rest."""
    monkeypatch.setattr(crash_map, "CORES", 1)
    monkeypatch.setattr(crash_map, "LANES_PER_CORE", 1)
    monkeypatch.setattr(crash_map, "AT_REST_PER_CORE", 2)

    def make(attempt, **spec):
        monkeypatch.setattr(
            crash_map, "attempt", lambda _setting, _path, point, _patience, _second, _set, rests: attempt(point, rests)
        )
        explorer = Explorer.__new__(Explorer)
        explorer.spec, explorer._wings, explorer._number = CrashmapSpec(tries=1, **spec), Wings(), 0
        explorer._began, explorer.firsts, explorer._tell = 0.0, {}, lambda _: None
        explorer.folder = SimpleNamespace(path=tmp_path)
        monkeypatch.setattr(explorer, "_keep", lambda *_: None)
        monkeypatch.setattr(explorer, "judge", lambda word: Outcome(word))
        tries = [_Try(point) for point in POINTS]
        explorer._try_all(None, tries, None)
        return [one.outcomes[0].word for one in tries]

    return make


def test_trial_at_rest_leaves_its_lane_and_those_at_rest_are_no_more_than_there_are_places(tried):
    last_was_tried, lock, at_once, most = Event(), Lock(), set(), []

    def attempt(point, rests):
        with lock:
            at_once.add(point.step)
            most.append(len(at_once))
        rests()
        rests()
        if point is POINTS[-2]:
            last_was_tried.set()
        else:
            assert last_was_tried.wait(LONG_S)
        with lock:
            at_once.discard(point.step)
        return Word.ONCE

    assert tried(attempt) == [Word.ONCE] * 4
    assert max(most) == 3


def test_trials_run_no_more_at_once_than_the_scenario_says_at_rest_or_not(tried):
    lock, at_once, most = Lock(), set(), []

    def attempt(point, rests):
        with lock:
            at_once.add(point.step)
            most.append(len(at_once))
        rests()
        with lock:
            at_once.discard(point.step)
        return Word.LOST

    assert tried(attempt, lanes=1) == [Word.LOST] * 4
    assert max(most) == 1


def test_both_tries_of_what_waits_begin_before_the_rest_and_those_that_took_long_before_the_quick():
    control = _Try(crash_map.control_point())
    waits = _Try(Point(1, "before", "tree", "note", Act("hold", {})), urgent=True)
    quick, slow = (_Try(Point(step, "after", "tree", "settle", Act("hold", {}))) for step in (2, 3))
    begun, waiting = [], [one for _ in range(2) for one in (control, waits, quick, slow)]
    while waiting:
        one = min(waiting, key=lambda one: one.turn)
        waiting.remove(one)
        one.asked, one.took_s = one.asked + 1, 9.0 if one is slow else 1.0
        begun.append(one)
    assert begun == [control, waits, waits, quick, slow, slow, control, quick]


@pytest.mark.parametrize(
    ("reads", "names_job", "outcomes", "by_chance"),
    [
        (True, False, [NEVER] * 3, True),
        (True, False, [NEVER], False),
        (True, False, [NEVER, Outcome(Word.ONCE)], False),
        (True, False, [NEVER, Outcome(Word.UNKNOWN, where="the machine was too busy")], False),
        (True, True, [NEVER] * 3, False),
        (False, False, [NEVER] * 3, False),
    ],
)
def test_what_came_in_no_trial_is_noise_where_it_is_not_about_the_job_and_changes_nothing(reads, names_job, outcomes, by_chance):
    learned = SimpleNamespace(steps=[SimpleNamespace(reads=reads, names_job=names_job)])
    one = _Try(Point(0, "reply lost", "", "HELLO", Act("lose_reply", {})), outcomes=outcomes)
    assert crash_map._by_chance(one, learned) is by_chance
    assert not crash_map._by_chance(_Try(crash_map.control_point(), outcomes=outcomes), learned)
