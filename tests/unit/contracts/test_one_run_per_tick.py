"""When a tick came twice, and when one was missed, on histories written by hand."""

import pytest

from jobharness.contracts.contract import Word
from jobharness.contracts.one_run_per_tick import OneRunPerTick
from tests.histories import history


def _tick(at, job, more="text=nightly value=1s"):
    return f"{at} scheduler schedule.tick {job} {more}\n9.0 worker-1 job.running {job}\n"


KEPT = {
    "half a period apart": _tick(1, "a") + _tick(1.5, "b"),
    "a period and a half apart": _tick(1, "a") + _tick(2.5, "b"),
    "of two entries by one name": _tick(1, "a", "text=nightly group=noon") + _tick(1.1, "b", "text=hourly group=noon"),
    "without a period": _tick(1, "a", "text=nightly") + _tick(1.1, "b", "text=nightly") + _tick(8, "c", "text=nightly"),
    "never run, due while the queue drains": _tick(1, "a", "group=noon")
    + "5 harness run.phase - text=drain\n5.001 scheduler schedule.tick b group=night",
    "named, however far apart": _tick(1, "a", "text=nightly group=noon value=1s")
    + _tick(8, "b", "text=nightly group=night value=1s"),
}


@pytest.mark.parametrize("what", KEPT)
def test_ticks_come_once(what):
    finding = OneRunPerTick().check(history(KEPT[what]))
    assert (finding.word, finding.offenders.height) == (Word.HOLDS, 0)


BROKEN = {
    "less than half a period apart": (
        _tick(1, "a") + _tick(1.499, "b"),
        "1 of 2 ticks came twice",
        [(1, "came 499 ms after the tick before, with a period of 1000 ms")],
    ),
    "more than a period and a half apart, another entry's between": (
        _tick(1, "a") + _tick(1.5, "x", "text=hourly value=1s") + _tick(2.501, "b") + _tick(2.502, "y", "text=hourly value=1s"),
        "1 of 4 ticks came after others had been missed",
        [(2, "came 1501 ms after the tick before, with a period of 1000 ms")],
    ),
    "twice by one name, of an entry that has none": (
        _tick(1, "a", "group=noon") + _tick(5, "b", "group=noon"),
        "1 of 2 ticks came twice",
        [(1, "its tick had come before")],
    ),
    "at the moment at which the run begins to stop": (
        _tick(1, "a") + _tick(1.2, "b") + "1.2 harness run.phase - text=stop",
        "1 of 2 ticks came twice",
        [(1, "came 200 ms after the tick before, with a period of 1000 ms")],
    ),
    "never run, due as the queue begins to drain": (
        _tick(1, "a", "group=noon") + "5 harness run.phase - text=drain\n5 scheduler schedule.tick b group=night",
        "1 of 2 ticks never ran their job",
        [(1, "its job never ran")],
    ),
    "at one moment": (
        _tick(1, "a") + _tick(1, "b"),
        "1 of 2 ticks came twice",
        [(1, "came 0 ms after the tick before, with a period of 1000 ms")],
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_ticks_come_twice_or_are_missed(what):
    lines, sentence, offenders = BROKEN[what]
    finding = OneRunPerTick().check(history(lines))
    assert (finding.word, finding.sentence) == (Word.BROKEN, sentence)
    assert [(job, why) for job, _, why in finding.offenders.iter_rows()] == offenders


@pytest.mark.parametrize("what", BROKEN)
def test_the_tables_of_parts_may_stand_in_any_order(what):
    contract, seen = OneRunPerTick(), history(BROKEN[what][0])
    table = contract.observe(seen)
    assert contract.weigh(table.reverse(), seen).ranked.equals(contract.weigh(table, seen).ranked)


@pytest.mark.parametrize(("torn", "word"), [(0, Word.BROKEN), (1, Word.BROKEN), (2, Word.UNKNOWN)])
def test_a_tick_that_is_missing_and_a_run_that_is_may_have_been_torn_by_a_kill(torn, word):
    seen = history(_tick(1, "a") + "8.0 scheduler schedule.tick b text=nightly value=1s", torn=torn)
    finding = OneRunPerTick().check(seen)
    assert (finding.word, finding.counts) == (word, {"ticks": 2, "twice": 0, "missed": 1, "never_ran": 1})


def test_a_tick_that_came_twice_was_seen_whatever_was_torn():
    assert OneRunPerTick().check(history(_tick(1, "a") + _tick(1, "b"), torn=9)).word is Word.BROKEN
