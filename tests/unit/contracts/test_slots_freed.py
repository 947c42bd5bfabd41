"""A worker whose job timed out at 2 s takes another within a second, on histories written by hand."""

import pytest

from jobharness.contracts.contract import Word
from jobharness.contracts.slots_freed import SlotsFreed
from tests.histories import history

TIMED_OUT = "1.0 worker-1/7 job.running a\n2.0 worker-1/7 job.timed_out a\n"
OTHERS = "9.0 worker-2 job.running z\n"


@pytest.mark.parametrize(
    ("what", "lines"),
    [
        ("it takes another", OTHERS + "2.5 worker-1/7 job.running b"),
        ("it takes another as the first is over", OTHERS + "2.0 worker-1/7 job.running b"),
        ("another of its processes takes one", OTHERS + "8.0 worker-1/8 job.running b"),
        ("there was no work left", "1.5 worker-2 job.running z"),
        ("the others took their last when the time was just over", "3.0 worker-2 job.running z"),
        ("another worker was there before it, and never ran", OTHERS + "0.0 worker-3 worker.ready -\n2.1 worker-1 job.running b"),
    ],
)
def test_a_slot_is_free_again_where(what, lines):
    finding = SlotsFreed(1.0).check(history(TIMED_OUT + lines))
    assert (finding.word, finding.counts) == (Word.HOLDS, {"timed_out": 1, "not_freed": 0}), what


@pytest.mark.parametrize(
    ("what", "lines"),
    [
        ("it takes none, while others do", OTHERS),
        ("it takes none, while others do just after the time", "3.001 worker-2 job.running z"),
        ("it took its last before", OTHERS + "1.9 worker-1/8 job.running b"),
        ("only its namesake's neighbour takes one", OTHERS + "2.5 worker-11 job.running b"),
    ],
)
def test_a_slot_is_not_free_again_where(what, lines):
    seen = history(TIMED_OUT + lines)
    finding = SlotsFreed(1.0).check(seen)
    assert (finding.word, finding.counts) == (Word.BROKEN, {"timed_out": 1, "not_freed": 1}), what
    assert list(finding.offenders.iter_rows()) == [(0, 0, "after it timed out, its worker began no other job")]


def test_of_several_that_timed_out_the_one_that_ended_last_counts():
    """The one that began first ended at 5 s, when there was no work for long any more."""
    finding = SlotsFreed(1.0).check(
        history("""
        1.0 worker-1/7 job.running a
        2.0 worker-1/8 job.running b
        3.0 worker-1/8 job.timed_out b
        4.5 worker-2 job.running z
        5.0 worker-1/7 job.timed_out a
    """)
    )
    assert (finding.word, finding.counts) == (Word.HOLDS, {"timed_out": 2, "not_freed": 0})


def test_of_two_that_ended_together_the_one_that_began_last_is_named():
    both = "1.5 worker-1/8 job.running b\n2.0 worker-1/8 job.timed_out b\n"
    finding = SlotsFreed(1.0).check(history(TIMED_OUT + both + OTHERS))
    assert finding.offenders.row(0)[:2] == (1, 1)
    assert finding.counts == {"timed_out": 2, "not_freed": 1}


def test_the_worker_that_stands_still_for_longest_is_told_first():
    """Its time-out is the later row, and the earlier end."""
    finding = SlotsFreed(1.0).check(
        history("""
        0.0 worker-2 job.running a
        1.0 worker-3 job.running b
        2.0 worker-3 job.timed_out b
        3.0 worker-2 job.timed_out a
        9.0 worker-1 job.running z
    """)
    )
    assert finding.jobs == [1, 0]
    assert finding.sentence == "2 workers began no other job after one had timed out"


@pytest.mark.parametrize(("torn", "word"), [(0, Word.BROKEN), (1, Word.UNKNOWN)])
def test_the_begin_that_is_missing_may_have_been_torn_by_a_kill(torn, word):
    assert SlotsFreed(1.0).check(history(TIMED_OUT + OTHERS, torn=torn)).word is word


def test_a_time_out_at_the_very_start_is_one():
    finding = SlotsFreed(1.0).check(history("0.0 worker-1 job.running a\n0.0 worker-1 job.timed_out a"))
    assert (finding.word, finding.counts["timed_out"]) == (Word.HOLDS, 1)
