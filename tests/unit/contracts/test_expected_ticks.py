"""Ticks that a scenario expects of the app's own schedule: also of a scheduler that never began, or never came back."""

import pytest

from jobharness.contracts.at_least_once import AtLeastOnce
from jobharness.contracts.contract import Word
from jobharness.contracts.one_run_per_tick import OneRunPerTick
from tests.histories import history

PHASES = """
    0.0 harness run.phase - text=workload
    4.0 harness run.phase - text=heal
    5.0 harness run.phase - text=stop
"""


def _ticks(*moments):
    lines = [f"{at} scheduler schedule.tick t{at} text=nightly value=1s\n{at + 0.1} worker-1 job.running t{at}" for at in moments]
    return history(PHASES + "\n".join(lines))


def _late(gap_ms):
    return f"nightly did not come due for {gap_ms} ms, with a period of 1000 ms"


@pytest.mark.parametrize(
    ("moments", "word", "whys"),
    [
        ((0.5, 1.5, 2.5, 3.5, 4.5), Word.HOLDS, []),
        ((0.5, 1.5), Word.BROKEN, [_late(2500)]),
        ((2.0, 3.0), Word.BROKEN, [_late(2000)]),
        ((0.5, 2.5, 3.5), Word.BROKEN, [_late(2000)]),
        ((), Word.BROKEN, [_late(4000)]),
    ],
)
def test_an_expected_entry_comes_due_all_along_the_workload(moments, word, whys):
    finding = OneRunPerTick((("nightly", 1.0),)).check(_ticks(*moments))
    assert (finding.word, finding.offenders["why"].to_list()) == (word, whys)


def test_a_workload_too_short_to_miss_a_tick_in_which_none_came_decides_nothing():
    finding = OneRunPerTick((("nightly", 60.0),)).check(_ticks())
    assert (finding.word, finding.sentence) == (Word.UNKNOWN, "no schedule came due")


def test_a_period_and_a_half_is_no_tick_missed():
    assert OneRunPerTick((("nightly", 1.0),)).check(_ticks(0.5, 2.0, 3.5)).word is Word.HOLDS


def test_ticks_after_the_workload_do_not_make_its_end_late():
    """From 2.5 s to its end at 4 s there is a period and a half, to the next tick there would be more."""
    assert OneRunPerTick((("nightly", 1.0),)).check(_ticks(0.5, 1.5, 2.5, 4.6)).word is Word.HOLDS


@pytest.mark.parametrize(("moments", "gap_ms"), [((10.5, 11.5, 12.5), 2000), ((), 14500)])
def test_without_phases_an_entry_is_expected_from_its_first_tick_or_else_from_the_start(moments, gap_ms):
    lines = "\n".join(f"{at} scheduler schedule.tick t{at} text=nightly\n{at} worker-1 job.running t{at}" for at in moments)
    finding = OneRunPerTick((("nightly", 1.0),)).check(history(lines + "\n14.5 worker-1 job.running z"))
    assert finding.offenders["why"].to_list() == [_late(gap_ms)]


def test_an_entry_of_another_name_does_not_stand_in_for_it():
    finding = OneRunPerTick((("hourly", 1.0),)).check(_ticks(0.5, 1.5, 2.5, 3.5))
    assert finding.word is Word.BROKEN
    assert finding.offenders["why"].to_list() == ["hourly did not come due for 4000 ms, with a period of 1000 ms"]
    assert finding.counts == {"ticks": 4, "twice": 0, "missed": 1, "never_ran": 0}


def test_what_came_twice_stands_before_what_was_missed_and_that_before_what_never_ran():
    lines = """
        0.1 scheduler schedule.tick never text=daily
        0.2 scheduler schedule.tick a text=hourly value=1s
        0.3 scheduler schedule.tick again text=hourly value=1s
        3.9 scheduler schedule.tick missed text=hourly value=1s
        3.9 worker-1 job.running a
        3.9 worker-1 job.running again
        3.9 worker-1 job.running missed
    """
    seen = history(PHASES + lines)
    finding = OneRunPerTick((("nightly", 1.0),)).check(seen)
    jobs = [job if job is None else seen.job_id(job) for job in finding.offenders["job"]]
    assert jobs == ["again", "missed", None, "never"]
    assert finding.sentence == (
        "1 of 4 ticks came twice; 2 of 4 ticks came after others had been missed; 1 of 4 ticks never ran their job"
    )


def test_an_entry_that_is_expected_is_judged_by_the_period_that_is_asked_for():
    """The app's own says a second, the scenario three."""
    assert OneRunPerTick((("nightly", 3.0),)).check(_ticks(0.5, 3.5)).word is Word.HOLDS


def test_a_tick_that_comes_while_the_run_is_being_stopped_is_not_judged():
    late = """
        5.1 scheduler schedule.tick z text=nightly value=1s
        5.1 scheduler enqueue.begin z
        5.1 scheduler enqueue.acknowledged z
        0.1 producer enqueue.acknowledged a
        0.2 worker-1 job.running a
        0.3 worker-1 job.finished a
    """
    seen = history(PHASES + late)
    finding = AtLeastOnce().check(seen)
    assert (finding.word, finding.counts["acknowledged"]) == (Word.HOLDS, 1)
    assert OneRunPerTick().check(seen).counts == {"ticks": 0, "twice": 0, "missed": 0, "never_ran": 0}
