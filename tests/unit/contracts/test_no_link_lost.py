"""No link lost, on histories written by hand: the whole expected finding."""

import pytest

from jobharness.contracts.at_least_once import AtLeastOnce
from jobharness.contracts.contract import Word
from jobharness.contracts.no_link_lost import NoLinkLost
from tests.histories import history

LINKS = """
    0.0 producer enqueue.linked a text=a value=0
    0.0 producer enqueue.linked b text=a value=1
    0.0 producer enqueue.linked c text=a value=2
    0.1 producer enqueue.begin a
    0.2 producer enqueue.acknowledged a
    0.9 producer producer.done - value=1
"""
FIRST = """
    1.0 worker-1 job.running a
    1.1 worker-1 job.finished a
"""
SECOND = """
    1.1 worker-1 enqueue.begin b
    1.2 worker-1 enqueue.acknowledged b
"""
CASES = {
    "nobody_enqueued_it": (
        LINKS + FIRST,
        Word.BROKEN,
        "1 of 1 jobs that were due in their chain were not completed, 1 of them never enqueued",
        {"due": 1, "lost": 1, "never_enqueued": 1},
        [(1, "lost: all before it had finished, and nobody got it enqueued")],
    ),
    "its_enqueue_was_cut_off": (
        LINKS + FIRST + "1.1 worker-1 enqueue.begin b",
        Word.BROKEN,
        "1 of 1 jobs that were due in their chain were not completed, 1 of them never enqueued",
        {"due": 1, "lost": 1, "never_enqueued": 1},
        [(1, "lost: all before it had finished, and nobody got it enqueued")],
    ),
    "enqueued_and_lost": (
        LINKS + FIRST + SECOND,
        Word.BROKEN,
        "1 of 1 jobs that were due in their chain were not completed, 0 of them never enqueued",
        {"due": 1, "lost": 1, "never_enqueued": 0},
        [(1, "enqueued when all before it had finished, never completed")],
    ),
    "one_before_failed_so_the_rest_is_not_due": (
        LINKS + FIRST + SECOND + "2.0 worker-1 job.running b\n2.1 worker-1 job.failed b\n2.1 worker-1 job.dead b value=raised",
        Word.HOLDS,
        "all 1 jobs that were due in their chain were completed",
        {"due": 1, "lost": 0, "never_enqueued": 0},
        [],
    ),
    "the_first_never_finished": (
        LINKS + "1.0 worker-1 job.running a",
        Word.UNKNOWN,
        "no chain or chord got to its second step",
        {"due": 0, "lost": 0, "never_enqueued": 0},
        [],
    ),
    "a_chord_waits_for_all": (
        """
        0.0 producer enqueue.linked a text=a value=0
        0.0 producer enqueue.linked b text=a value=0
        0.0 producer enqueue.linked c text=a value=1
        1.0 worker-1 job.running a
        1.1 worker-1 job.finished a
        1.2 worker-1 job.running b
        """,
        Word.UNKNOWN,
        "no chain or chord got to its second step",
        {"due": 0, "lost": 0, "never_enqueued": 0},
        [],
    ),
    "what_nobody_enqueued_is_told_before_what_was_and_a_link_told_twice_is_one": (
        LINKS
        + FIRST
        + """
        0.0 producer enqueue.linked b text=a value=1
        0.0 producer enqueue.linked c text=p value=0
        0.0 producer enqueue.linked d text=p value=1
        0.1 producer enqueue.acknowledged b
        1.0 worker-1 job.finished c
        """,
        Word.BROKEN,
        "2 of 2 jobs that were due in their chain were not completed, 1 of them never enqueued",
        {"due": 2, "lost": 2, "never_enqueued": 1},
        [
            (3, "lost: all before it had finished, and nobody got it enqueued"),
            (1, "enqueued when all before it had finished, never completed"),
        ],
    ),
    "cut_short": (
        LINKS + FIRST + "2.0 harness run.cut_short - text=Ctrl-C",
        Word.UNKNOWN,
        "1 of 1 jobs that were due in their chain were not completed, 1 of them never enqueued, "
        "but the run was cut short before the queue had drained",
        {"due": 1, "lost": 1, "never_enqueued": 1},
        [(1, "lost: all before it had finished, and nobody got it enqueued")],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_link_is_due_when_all_before_it_have_finished(name):
    lines, word, sentence, counts, offenders = CASES[name]
    finding = NoLinkLost().check(history(lines))
    assert (finding.word, finding.sentence, finding.counts) == (word, sentence, counts)
    assert list(finding.offenders.select("job", "why").iter_rows()) == offenders


def test_a_job_that_waits_for_a_failed_one_is_not_lost_to_at_least_once():
    """RQ acknowledges it at once and keeps it; it never runs when the one before has failed."""
    waits = """
        0.3 producer enqueue.acknowledged b
        1.0 worker-1 job.running a
        1.1 worker-1 job.failed a
        1.1 worker-1 job.dead a value=raised
        9.0 harness job.held b text=deferred
    """
    finding = AtLeastOnce().check(history(LINKS + waits))
    assert (finding.word, finding.counts["acknowledged"], finding.counts["stuck"]) == (Word.HOLDS, 1, 0)
