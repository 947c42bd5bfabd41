"""A worker that is asked to stop at 2 s, within 2 s, on histories written by hand."""

import pytest

from jobharness.contracts.contract import Word
from jobharness.contracts.graceful_stop import GracefulStop
from tests.histories import history

ASKED = "2.0 worker-1 worker.stopping -\n"
EXIT = "3.0 harness worker.exited - text=worker-1 value=0\n"
CUT, LATE = "cut off when its worker stopped", "begun after its worker was asked to stop"


def _check(lines, **more):
    seen = history(lines, **more)
    finding = GracefulStop(2.0, settle_s=0.5).check(seen)
    return finding, [(None if job is None else seen.job_id(job), row, why) for job, row, why in finding.offenders.iter_rows()]


IN_ORDER = {
    "finishes what it runs": "1.0 worker-1 job.running a\n2.9 worker-1 job.finished a",
    "hands back what it runs": "1.0 worker-1 job.running a\n2.0 worker-1 job.rejected a",
    "begins one more at the end of the time to settle": "2.5 worker-1 job.running a\n2.6 worker-1 job.finished a",
    "is told that another process took a job after it was gone": "3.0 worker-1/7 job.running a\n3.1 worker-1/7 job.finished a",
    "is beside another that is killed": "1.0 worker-2 job.running a\n2.8 worker-2 job.running b\n"
    "2.9 worker-2 job.finished b\n2.9 harness worker.exited - text=worker-2 value=-9",
    "lost a job to a fault before": "1.0 worker-1/7 job.running a\n1.5 harness fault.hit a value=7",
    "gave a job up before": "1.0 worker-1 job.running a\n1.5 worker-1 job.dead a value=worker_lost",
    "gave a job up as it began": "1.0 worker-1 job.running a\n1.0 worker-1 job.dead a value=worker_lost",
    "is told of twice": "2.1 worker-1/7 worker.stopping -",
    "is beside one that nobody knows": "2.5 harness worker.exited - text=worker-9 value=-9",
}


@pytest.mark.parametrize("what", IN_ORDER)
def test_a_worker_stops_in_order_that(what):
    finding, offenders = _check(ASKED + EXIT + IN_ORDER[what])
    assert (finding.word, finding.sentence, offenders) == (Word.HOLDS, "1 workers stopped in order", [])
    assert finding.counts == {"cut_off": 0, "begun_late": 0, "stops": 1, "overdue": 0}


OUT_OF_ORDER = {
    "hands a job back before it is asked to": (
        "1.0 worker-1 job.running a\n1.9 worker-1 job.rejected a\n1.95 worker-1 job.running a",
        [("a", 0, CUT), ("a", 2, CUT)],
    ),
    "lets a fault hit a job as it stops": ("1.0 worker-1/7 job.running a\n2.0 harness fault.hit a value=7", [("a", 0, CUT)]),
    "lets a fault hit a job as it begins": ("1.0 worker-1/7 job.running a\n1.0 harness fault.hit a value=7", [("a", 0, CUT)]),
    "gives a job up as it stops": ("1.0 worker-1 job.running a\n2.0 worker-1 job.dead a value=worker_lost", [("a", 0, CUT)]),
    "gave a job up before it ran it again": (
        "0.5 worker-1 job.dead a value=worker_lost\n1.0 worker-1 job.running a",
        [("a", 1, CUT)],
    ),
    "begins a job after the time to settle": ("2.51 worker-1 job.running a\n2.6 worker-1 job.finished a", [("a", 1, LATE)]),
    "begins a job a nanosecond after": ("2.500000001 worker-1 job.running a\n2.6 worker-1 job.finished a", [("a", 1, LATE)]),
    "cuts a job off that it began as it exits": ("3.0 worker-1/7 job.running a", [("a", 2, CUT)]),
    "cuts a job off that another worker runs": (
        "1.0 worker-1 job.running a\n2.5 worker-2 job.running a\n2.6 worker-2 job.finished a",
        [("a", 0, CUT)],
    ),
    "does so in a child process": ("1.0 worker-1/7 job.running a", [("a", 0, CUT)]),
}


@pytest.mark.parametrize("what", OUT_OF_ORDER)
def test_a_worker_does_not_stop_in_order_that(what):
    lines, expected = OUT_OF_ORDER[what]
    finding, offenders = _check(ASKED + EXIT + lines)
    assert (finding.word, offenders) == (Word.BROKEN, expected)
    cut = sum(why == CUT for _, _, why in expected)
    assert finding.counts == {"cut_off": cut, "begun_late": len(expected) - cut, "stops": 1, "overdue": 0}


EXITS = {
    "4.0 harness worker.exited - text=worker-1 value=0": (Word.HOLDS, []),
    "4.001 harness worker.exited - text=worker-1 value=0": (Word.BROKEN, ["the worker exited after 2001 ms"]),
    "2.0 harness worker.exited - text=worker-1 value=1": (Word.HOLDS, []),
    "3.0 harness worker.exited - text=worker-1 value=-9": (Word.BROKEN, ["the worker was ended by signal 9"]),
    "3.0 harness worker.exited - text=worker-2 value=0": (Word.BROKEN, ["the worker never exited"]),
}


@pytest.mark.parametrize("exit_line", EXITS)
def test_a_worker_exits_by_itself_in_time(exit_line):
    word, whys = EXITS[exit_line]
    finding, offenders = _check(ASKED + exit_line)
    assert (finding.word, offenders) == (word, [(None, 0, why) for why in whys])
    assert finding.counts == {"cut_off": 0, "begun_late": 0, "stops": 1, "overdue": len(whys)}


@pytest.mark.parametrize(("torn", "word"), [(0, Word.BROKEN), (1, Word.UNKNOWN)])
def test_an_exit_that_is_missing_may_have_been_torn_by_a_kill(torn, word):
    assert _check(ASKED, torn=torn)[0].word is word


@pytest.mark.parametrize(("torn", "word"), [(0, Word.BROKEN), (1, Word.BROKEN), (2, Word.UNKNOWN)])
def test_so_may_the_end_of_an_execution(torn, word):
    finding, _ = _check(ASKED + EXIT + "1.0 worker-1 job.running a\n1.0 worker-1 job.running b", torn=torn)
    assert (finding.word, finding.counts["cut_off"]) == (word, 2)


def test_a_begin_that_was_seen_is_late_whatever_was_torn():
    finding, offenders = _check(ASKED + EXIT + "2.8 worker-1 job.running a\n2.9 worker-1 job.finished a", torn=9)
    assert (finding.word, offenders) == (Word.BROKEN, [("a", 1, LATE)])


def test_a_worker_that_never_exits_begins_nothing_new_either():
    finding, offenders = _check(ASKED + "8.0 worker-1 job.running a\n8.1 worker-1 job.finished a")
    assert offenders == [(None, 0, "the worker never exited"), ("a", 1, LATE)]
    assert finding.sentence == (
        "1 workers did not exit by themselves in time; 1 executions began after their worker was asked to stop"
    )


def test_each_stop_of_a_worker_is_judged_for_itself():
    """What was cut off by the first is not held against the second, nor what it ran after the first."""
    finding, offenders = _check(
        ASKED
        + EXIT
        + """
        1.0 worker-1 job.running a
        3.0 worker-1 job.running d
        3.5 worker-1 job.running b
        3.6 worker-1 job.finished b
        4.0 worker-1 job.running c
        4.5 worker-1 job.running e
        5.5 worker-1 job.finished e
        5.0 worker-1 worker.stopping -
        5.1 worker-1 worker.stopping -
        6.0 harness worker.exited - text=worker-1 value=0
        7.0 harness worker.exited - text=worker-1 value=-9
    """
    )
    assert [(job, why) for job, _, why in offenders] == [("a", CUT), ("d", CUT), ("c", CUT)]
    assert (finding.word, dict(finding.counts)) == (Word.BROKEN, {"cut_off": 3, "begun_late": 0, "stops": 2, "overdue": 0})


def test_two_workers_that_stop_are_two_stops():
    finding, _ = _check(
        ASKED
        + EXIT
        + "2.1 worker-1 worker.stopping -\n2.2 worker-2 worker.stopping -\n3.5 harness worker.exited - text=worker-2 value=0"
    )
    assert (finding.word, finding.sentence) == (Word.HOLDS, "2 workers stopped in order")


def test_without_a_stop_nothing_is_judged():
    finding, _ = _check(EXIT + "1.0 worker-1 job.running a")
    assert (finding.word, finding.sentence) == (Word.UNKNOWN, "no worker was asked to stop")
