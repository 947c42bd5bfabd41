"""Which jobs belong among the dead letters, on histories written by hand."""

import pytest

from jobharness.contracts.contract import Word
from jobharness.contracts.dead_letters import DeadLetters
from tests.histories import history

DIED = "1.0 worker-1 job.dead a value=raised\n"
BURIED = "9.0 harness job.buried a\n"
REPORTED = "2.0 integration failure.reported a\n"
MISSING, TWICE = "given up, and not among the dead letters", "more than once among the dead letters"
ALIVE, COMPLETED = (
    "among the dead letters, though it was never given up",
    "among the dead letters, though it was completed",
)
UNREPORTED, REPORTED_TWICE = "given up, and never reported", "reported more than once"


@pytest.mark.parametrize(
    ("lines", "whys"),
    [
        (DIED + BURIED, []),
        (DIED, [MISSING]),
        ("1.0 worker-1 job.dead a value=timed_out", [MISSING]),
        ("1.0 worker-1 job.dead a value=worker_lost", [MISSING]),
        (DIED + BURIED + BURIED, [TWICE]),
        (BURIED, [ALIVE]),
        (BURIED + BURIED, [TWICE, ALIVE]),
        ("1.0 worker-1 job.dead a value=revoked\n" + BURIED, [ALIVE]),
        ("1.0 worker-1 job.dead a value=unknown_task\n" + BURIED, [ALIVE]),
        (DIED + "2.0 worker-1 job.finished a\n" + BURIED, [COMPLETED]),
        (DIED + BURIED + REPORTED + REPORTED, []),
    ],
)
def test_a_job_that_was_given_up_is_among_the_dead_letters_once(lines, whys):
    finding = DeadLetters().check(history(lines))
    assert finding.word is (Word.BROKEN if whys else Word.HOLDS)
    assert list(finding.offenders.iter_rows()) == [(0, None, why) for why in whys]
    assert set(finding.counts) == {"exhausted", "missing", "twice", "alive", "completed"}
    if not whys:
        assert finding.sentence == "all 1 exhausted jobs are among the dead letters, once"


@pytest.mark.parametrize(
    ("lines", "whys"),
    [
        (DIED + BURIED + REPORTED, []),
        (DIED + BURIED, [UNREPORTED]),
        (DIED + BURIED + REPORTED + REPORTED, [REPORTED_TWICE]),
        (DIED + REPORTED + REPORTED, [MISSING, REPORTED_TWICE]),
        (DIED + BURIED + BURIED, [TWICE, UNREPORTED]),
        (BURIED + REPORTED + REPORTED, [ALIVE]),
    ],
)
def test_where_reports_are_promised_it_is_reported_once(lines, whys):
    finding = DeadLetters(reported=True).check(history(lines))
    assert list(finding.offenders.iter_rows()) == [(0, None, why) for why in whys]


def test_a_job_that_was_completed_after_it_was_given_up_is_no_dead_letter_and_not_judged():
    finding = DeadLetters().check(history(DIED + "2.0 worker-1 job.finished a"))
    assert (finding.word, finding.sentence) == (Word.UNKNOWN, "no job was given up")


@pytest.mark.parametrize(
    ("reported", "torn", "word"),
    [(False, 0, Word.BROKEN), (False, 1, Word.UNKNOWN), (True, 1, Word.BROKEN), (True, 2, Word.UNKNOWN)],
)
def test_what_is_missing_may_have_been_torn_by_a_kill(reported, torn, word):
    """The burial, and where reports are promised the report."""
    finding = DeadLetters(reported).check(history(DIED, torn=torn))
    assert finding.word is word
    assert finding.counts["missing"] == 1


def test_what_is_there_too_often_is_seen_whatever_was_torn():
    assert DeadLetters().check(history(DIED + BURIED + BURIED, torn=9)).word is Word.BROKEN


def test_each_fault_is_counted_in_its_own_words():
    lines = DIED + "9.0 harness job.buried b\n1.0 worker-1 job.dead c\n2.0 worker-1 job.finished c\n9.0 harness job.buried c\n"
    lines += "1.0 worker-1 job.dead d\n9.0 harness job.buried d\n2.0 integration failure.reported d\n2.0 integration failure.reported d"
    finding = DeadLetters(reported=True).check(history(lines))
    assert finding.sentence == (
        "of 2 exhausted jobs, or beside them: 1 are not among the dead letters; 1 are there and were never given up; "
        "1 are there and were completed; 1 were never reported; 1 were reported more than once"
    )
