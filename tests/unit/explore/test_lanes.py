"""Who is tried at the same time: a trial that only waits leaves its lane to the next."""

from threading import Event, Lock
from types import SimpleNamespace

import pytest

from jobharness.explore import crash_map
from jobharness.explore import lanes as module
from jobharness.explore.lanes import End, Lanes, Try
from jobharness.explore.outcome import NEVER_CAME, Outcome, Word
from jobharness.explore.points import Act, Point
from jobharness.explore.trial import Patience
from jobharness.scenario.model import CrashmapSpec

LONG_S = 20.0
NEVER = Outcome(Word.UNKNOWN, where=NEVER_CAME)
POINTS = [Point(step, "before", "tree", f"step {step}", Act("hold", {})) for step in range(4)]


@pytest.fixture
def lanes(monkeypatch):
    """`lanes(**spec)`: on a machine of one lane and two places at rest."""
    monkeypatch.setattr(module, "CORES", 1)
    monkeypatch.setattr(module, "LANES_PER_CORE", 1)
    monkeypatch.setattr(module, "AT_REST_PER_CORE", 2)
    return lambda **spec: Lanes(CrashmapSpec(**{"tries": 1, **spec}), lambda _: False, lambda _: None)


@pytest.fixture
def tried(lanes):
    """`tried(attempt, **spec)`: every point, by an `attempt(point, rests)`."""

    def make(attempt, **spec):
        tries = [Try(point) for point in POINTS]
        with lanes(**spec) as made:
            made.run(tries, lambda number, one, rests: end(number, one, attempt(one.point, rests)), always)
        return [one.outcomes[0].word for one in tries]

    return make


def end(number, one, word, took_s=0.0):
    return End(number, one.point, Patience(0.0, 0.0, 0.0), Outcome(word), took_s, 0.0)


def always(_one, _end):
    return True


def lost(number, one, _rests):
    return end(number, one, Word.LOST)


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
    control = Try(crash_map.control_point())
    waits = Try(Point(1, "before", "tree", "note", Act("hold", {})), urgent=True)
    quick, slow = (Try(Point(step, "after", "tree", "settle", Act("hold", {}))) for step in (2, 3))
    begun, waiting = [], [one for _ in range(2) for one in (control, waits, quick, slow)]
    while waiting:
        one = min(waiting, key=lambda one: one.turn)
        waiting.remove(one)
        one.asked += 1
        one.ends.append(end(len(begun), one, Word.ONCE, 9.0 if one is slow else 1.0))
        begun.append(one)
    assert begun == [control, waits, waits, quick, slow, slow, control, quick]


def test_what_began_before_is_the_first_of_its_points_trials(lanes):
    begun, meant = [], Try(POINTS[0])

    def attempt(number, one, _rests):
        begun.append((number, one.point))
        return end(number, one, Word.LOST)

    with lanes(tries=2) as made:
        made.begin(meant, attempt)
        assert made.run([meant, Try(POINTS[1])], attempt, always) == []
    assert len(meant.trials) == 2 and meant.trials[0] == 1
    assert [point for _, point in begun].count(POINTS[0]) == 2 and len(begun) == 4


def test_what_began_before_and_struck_another_point_is_tried_again(lanes):
    meant = Try(POINTS[0])
    with lanes() as made:
        made.begin(meant, lost)
        made.run([meant], lost, lambda _one, ended: ended.number > 1)
    assert meant.trials == (2,)


def test_what_began_before_and_is_no_point_of_the_map_counts_nowhere(lanes):
    orphan, other = Try(POINTS[0]), Try(POINTS[1])
    with lanes() as made:
        made.begin(orphan, lost)
        made.run([other], lost, always)
    assert (orphan.trials, other.trials) == ((), (2,))


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
    ends = [SimpleNamespace(outcome=outcome) for outcome in outcomes]
    one = Try(Point(0, "reply lost", "", "HELLO", Act("lose_reply", {})), ends=ends)
    assert crash_map._by_chance(one, learned) is by_chance
    assert not crash_map._by_chance(Try(crash_map.control_point(), ends=ends), learned)
