"""Learning a job's steps again, where the first time left it open what is the job's and what a schedule's."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from jobharness.explore import crash_map
from jobharness.explore.crash_map import Explorer
from jobharness.explore.lanes import Lanes
from jobharness.explore.learning import Lesson
from jobharness.explore.seen import Seen
from jobharness.explore.steps import steps_of
from jobharness.explore.wings import Wings
from jobharness.history.event import Kind
from jobharness.history.follow import News
from jobharness.scenario.model import CrashmapSpec
from tests.histories import history
from tests.unit.explore.test_steps import CELERY, IDLE, talk

LESSON = Lesson(history(""), IDLE, tuple(steps_of(CELERY, IDLE)), 1.0, 1.0, False, "a test")
TICKED = replace(
    LESSON, steps=tuple(steps_of([*CELERY, *talk("4 -> 1 DEFER")], IDLE)), unheard=frozenset(["hourly"])
)  # What the tick says names no job.


@pytest.fixture
def learned(monkeypatch):
    """`learned(*lessons)`: what is learnt of pairs of these lessons, and which entries were waited for in each; `learned.ignored`:
    the signatures that were no steps."""

    def make(*lessons):
        waited, explorer = [], Explorer.__new__(Explorer)
        explorer.spec, explorer.folder, explorer._wings = CrashmapSpec(ignore=["ping"]), SimpleNamespace(path=Path()), Wings()
        explorer._lanes = Lanes(explorer.spec, lambda _: False, lambda _: None)
        explorer._preparation = SimpleNamespace(parts=SimpleNamespace(queue=SimpleNamespace(heartbeats=("EXPIRE worker:#",))))

        def learn(_setting, place, *_args):
            waited.append(_args[-2])
            make.ignored = _args[2]
            return lessons[(int(place.name.rpartition("-")[2]) - 1) // 2]

        monkeypatch.setattr(crash_map, "learn", learn)
        return explorer._learn(None, None), waited[::2]

    return make


def test_heartbeats_of_the_library_are_no_steps_nor_is_what_the_scenario_names(learned):
    learned(LESSON)
    assert learned.ignored == ("EXPIRE worker:#", "ping")


def test_tick_that_came_in_both_runs_while_the_job_was_there_is_listened_to_before_it_in_two_more(learned):
    """Both runs are made at the same time, and so does a schedule come due in both."""
    found, waited = learned(TICKED, LESSON)
    assert [step.label for step in found.steps] == [step.label for step in LESSON.steps]
    assert waited == [frozenset(), frozenset(["hourly"])]


def test_job_is_learnt_in_two_runs_where_no_tick_came(learned):
    assert learned(LESSON)[1] == [frozenset()]


def test_runs_of_which_least_is_unsure_count_where_all_are(learned):
    worse = replace(TICKED, unheard=frozenset(["hourly", "nightly"]))
    found, waited = learned(worse, TICKED, worse)
    assert found.unheard == {"hourly"} and len(waited) == 3


def test_tick_in_one_of_two_runs_is_noise():
    found = crash_map.combined(LESSON, TICKED)
    assert (found.noise, found.unheard) == (("DEFER",), frozenset())


def test_job_is_no_doubt_where_noise_is_called_as_one_of_its_steps_is():
    """A query of a new connection is a SELECT, too."""
    heard = talk("1 <- 1 BRPOP *", "2 -> 1 SELECT done *")
    sure = replace(LESSON, steps=tuple(steps_of(heard, IDLE)))
    noisy = replace(LESSON, steps=tuple(steps_of([*heard, *talk("4 -> 1 SELECT version")], IDLE)))
    found = crash_map.combined(sure, noisy)
    assert (found.noise, found.doubtful) == (("SELECT",), ())


def test_entry_is_heard_by_the_end_of_its_tick():
    seen = Seen()
    news = [(Kind.SCHEDULE_TICK, b"1", "hourly"), (Kind.SCHEDULE_TICK, b"2", "nightly"), (Kind.JOB_FINISHED, b"1", "")]
    seen.see([News(0, kind, key, 0, 0, 0, "", text, "worker-1", "worker") for kind, key, text in news])
    assert seen.entries(seen.ended) == {"hourly"}
    assert seen.entries(seen.ticks.keys() - seen.ended) == {"nightly"}
