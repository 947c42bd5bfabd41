"""What became of jobs that were not completed, and which ones need not be, on histories written by hand."""

import pytest

from jobharness.contracts.at_least_once import AtLeastOnce
from jobharness.contracts.contract import Word
from jobharness.contracts.exactly_once import ExactlyOnce
from tests.histories import history

SENT = "1.0 producer enqueue.acknowledged a\n"
FATES = {
    "": "lost: acknowledged, never seen by a worker",
    "2.0 worker-1 job.received a": "lost: taken by a worker, never run",
    "2.0 worker-1 job.received a\n2.1 worker-1 job.running a": "lost: its execution was cut off and never repeated",
    "2.1 worker-1 job.running a\n2.2 worker-1 job.dead a value=revoked": "lost: given up by the library, never run to an end",
    "2.1 worker-1 job.dead a value=raised": "lost: given up by the library, never run to an end",
    "2.1 worker-1 job.dead a value=timed_out": "lost: given up by the library, never run to an end",
    "2.1 worker-1 job.dead a value=unknown_task": "lost: given up by the library, never run to an end",
    "2.1 worker-1 job.running a\n2.2 worker-1 job.dead a value=worker_lost": "lost: given up because its worker died",
    "2.1 worker-1 job.dead a value=revoked\n2.2 worker-1 job.dead a value=worker_lost": "lost: given up because its worker died",
    "2.1 worker-1 job.dead a value=worker_lost\n9.0 harness job.held a": "stuck: the broker still holds it",
}


@pytest.mark.parametrize("lines", FATES)
def test_a_job_that_was_not_completed(lines):
    finding = AtLeastOnce().check(history(SENT + lines))
    stuck = FATES[lines].startswith("stuck")
    assert finding.word is Word.BROKEN
    assert finding.counts == {"acknowledged": 1, "lost": 1 - stuck, "stuck": int(stuck), "dead": 0}
    assert list(finding.offenders.iter_rows()) == [(0, None, FATES[lines])]


COMPLETED = {
    "2.0 worker-1 job.finished a": 0,
    "2.0 worker-1 job.finished a\n2.1 worker-1 job.dead a value=worker_lost": 0,
    "2.0 worker-1 job.running a\n2.1 worker-1 job.dead a value=raised": 1,
    "2.0 worker-1 job.running a\n2.1 worker-1 job.dead a value=timed_out": 1,
    "2.0 worker-1 job.finished a\n9.0 harness job.held a": 0,
}


@pytest.mark.parametrize("lines", COMPLETED)
def test_a_job_that_was_completed(lines):
    finding, dead = AtLeastOnce().check(history(SENT + lines)), COMPLETED[lines]
    more = " (1 of them dead by their own exception)" if dead else ""
    assert (finding.word, finding.sentence) == (Word.HOLDS, f"all 1 acknowledged jobs were completed{more}")
    assert finding.counts == {"acknowledged": 1, "lost": 0, "stuck": 0, "dead": dead}


def test_the_first_that_was_acknowledged_is_told_first():
    finding = AtLeastOnce().check(
        history("1.0 producer enqueue.begin a\n2.0 producer enqueue.acknowledged b\n3.0 producer enqueue.acknowledged a")
    )
    assert finding.jobs == [1, 0]
    assert finding.sentence == "2 of 2 acknowledged jobs were lost"


@pytest.mark.parametrize(("step", "judged"), [(0, 1), (1, 0), (2, 0)])
def test_a_job_that_waits_for_another_of_its_chain_need_not_run(step, judged):
    finding = AtLeastOnce().check(history(SENT + f"1.0 producer enqueue.linked a text=chain value={step}"))
    assert finding.counts["acknowledged"] == finding.counts["lost"] == judged


@pytest.mark.parametrize(("stopped_at", "judged"), [(0.9, 0), (1.0, 1), (1.1, 1)])
def test_a_job_that_is_sent_while_the_run_stops_need_not_run(stopped_at, judged):
    finding = AtLeastOnce().check(history(SENT + f"{stopped_at} harness run.phase - text=stop"))
    assert finding.counts["acknowledged"] == finding.counts["lost"] == judged


@pytest.mark.parametrize(("torn", "word"), [(0, Word.BROKEN), (1, Word.BROKEN), (2, Word.UNKNOWN)])
def test_each_torn_record_may_be_the_completion_of_one(torn, word):
    seen = history(
        SENT + "1.0 producer enqueue.acknowledged b\n1.0 producer enqueue.acknowledged c\n2.0 worker-1 job.finished c", torn=torn
    )
    assert AtLeastOnce().check(seen).word is word


def test_exactly_once_tells_both_where_both_are_broken():
    finding = ExactlyOnce().check(history(SENT + "2.0 worker-1 job.running b\n3.0 worker-1 job.running b"))
    assert (finding.contract, finding.word) == ("exactly_once", Word.BROKEN)
    assert finding.sentence == "1 of 1 acknowledged jobs were lost; 1 of 1 jobs were run more often than they asked for"
    assert finding.jobs == [0, 1]
    assert finding.counts == {"acknowledged": 1, "lost": 1, "stuck": 0, "dead": 0, "ran": 1, "duplicated": 1, "pending": 0}


def test_exactly_once_tells_the_graver_where_one_is_broken():
    finding = ExactlyOnce().check(history(SENT + "2.0 worker-1 job.running a\n3.0 worker-1 job.running a", torn=1))
    assert (finding.word, finding.sentence) == (Word.BROKEN, "1 of 1 jobs were run more often than they asked for")
    assert finding.offenders["why"].to_list() == ["ran 2 times, 0 of them retries it asked for"]
