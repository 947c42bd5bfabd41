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


@pytest.mark.parametrize(
    ("moments", "word", "whys"),
    [
        ((0.5, 1.5, 2.5, 3.5, 4.5), Word.HOLDS, []),
        ((0.5, 1.5), Word.BROKEN, ["nightly did not come due for 2500 ms, with a period of 1000 ms"]),
        ((2.0, 3.0), Word.BROKEN, ["nightly did not come due for 2000 ms, with a period of 1000 ms"]),
        ((0.5, 2.5, 3.5), Word.BROKEN, ["nightly did not come due for 2000 ms, with a period of 1000 ms"]),
        ((), Word.BROKEN, ["nightly did not come due for 4000 ms, with a period of 1000 ms"]),
    ],
)
def test_an_expected_entry_comes_due_all_along_the_workload(moments, word, whys):
    finding = OneRunPerTick((("nightly", 1.0),)).check(_ticks(*moments))
    assert (finding.word, finding.offenders["why"].to_list()) == (word, whys)


def test_an_entry_of_another_name_does_not_stand_in_for_it():
    finding = OneRunPerTick((("hourly", 1.0),)).check(_ticks(0.5, 1.5, 2.5, 3.5))
    assert finding.word is Word.BROKEN
    assert finding.counts["missed"] == 1


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
