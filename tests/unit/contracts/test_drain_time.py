"""The queue is drained 2 s after the last job was sent, on histories written by hand."""

import pytest

from jobharness.contracts.contract import Word
from jobharness.contracts.drain_time import DrainTime
from tests.histories import history

SENT = "1.0 producer enqueue.acknowledged a\n1.0 producer enqueue.acknowledged b\n1.0 producer enqueue.acknowledged c\n"
DONE = "3.0 producer producer.done -\n"


def _check(lines, **more):
    finding = DrainTime(2.0).check(history(SENT + lines, **more))
    return finding, [tuple(row) for row in finding.offenders.select("job", "why").iter_rows()]


def test_a_job_completed_in_just_the_time_allowed_is_not_late():
    finding, _ = _check(DONE + "2.0 worker-1 job.finished a\n2.0 worker-1 job.finished b\n5.0 worker-1 job.finished c")
    assert (finding.word, finding.sentence) == (Word.HOLDS, "the queue was drained 2000 ms after the last job was sent")
    assert finding.counts == {"acknowledged": 3, "late": 0, "never": 0, "drain_ms": 2000}


def test_what_was_never_completed_is_told_before_what_came_last():
    finding, offenders = _check(DONE + "5.1 worker-1 job.finished a\n9.0 worker-1 job.finished c")
    assert offenders == [
        (1, "never completed"),
        (2, "completed 6000 ms after the last job was sent"),
        (0, "completed 2100 ms after the last job was sent"),
    ]
    assert (finding.word, finding.sentence) == (Word.BROKEN, "3 jobs were not completed 2 s after the last was sent, 1 never")
    assert finding.counts == {"acknowledged": 3, "late": 3, "never": 1, "drain_ms": 6000}


def test_of_several_producers_the_last_counts():
    ended = "2.0 worker-1 job.finished a\n2.0 worker-1 job.finished b\n6.0 worker-1 job.finished c\n"
    assert _check(DONE + ended)[0].word is Word.BROKEN
    finding, _ = _check(DONE + ended + "5.0 producer-2 producer.done -")
    assert (finding.word, finding.counts["drain_ms"]) == (Word.HOLDS, 1000)


def test_while_the_workload_never_ended_nothing_is_late():
    finding, offenders = _check("9.0 worker-1 job.finished a")
    assert (finding.word, finding.sentence, offenders) == (
        Word.UNKNOWN,
        "the workload never ended, or no job was acknowledged",
        [],
    )
    assert finding.counts == {"acknowledged": 3, "late": 0, "never": 0, "drain_ms": 0}


@pytest.mark.parametrize(("torn", "word"), [(2, Word.BROKEN), (3, Word.UNKNOWN)])
def test_completions_that_are_missing_may_have_been_torn_by_a_kill(torn, word):
    assert _check(DONE, torn=torn)[0].word is word


def test_a_completion_that_was_seen_is_late_whatever_was_torn():
    assert _check(DONE + "9.0 worker-1 job.finished a", torn=9)[0].word is Word.BROKEN
