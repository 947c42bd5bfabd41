"""Each outcome from a hand-written history of a trial: what the job's last word is, and why."""

import pytest

from jobharness.explore.outcome import Lease, Outcome, Word, outcome_of
from tests.histories import history

SENT = """
    0.000  producer  enqueue.begin         a
    0.001  producer  enqueue.acknowledged  a
    0.100  harness   run.phase             -  text=struck
    0.200  harness   run.phase             -  text=recovering
"""
OVER = "\n9.000  harness  run.phase  -  text=over\n"


def outcome(lines, within_s=60.0, lease=None, **how):
    return outcome_of(history(SENT + lines + OVER, **how), within_s, lease)


def test_job_that_is_nowhere_and_never_done_is_lost():
    assert outcome("") == Outcome(Word.LOST)


def test_job_that_was_proven_to_be_lost_says_by_what():
    proven = outcome("0.15 harness run.phase - text=nowhere")
    assert proven == Outcome(Word.LOST, where="nothing that the broker stores names it")


def test_job_that_comes_back_all_the_same_is_not_lost():
    back = outcome("0.15 harness run.phase - text=nowhere\n 0.5 worker-1/2 job.finished a")
    assert back == Outcome(Word.ONCE, 1, back_s=0.3)


def test_job_that_somebody_holds_and_nobody_takes_is_stuck_there():
    assert outcome('8.9 harness job.held a text="in the hash unacked"') == Outcome(Word.STUCK, where="in the hash unacked")


def test_job_done_by_the_healthy_worker_is_once():
    assert outcome("0.5 worker-1/2 job.finished a") == Outcome(Word.ONCE, 1, back_s=0.3)


def test_job_done_before_the_strike_and_never_again_is_once():
    assert outcome("0.05 worker-1 job.finished a") == Outcome(Word.ONCE, 1)


def test_job_done_before_the_strike_and_after_it_is_twice():
    assert outcome("0.05 worker-1 job.finished a\n 0.7 worker-1/2 job.finished a") == Outcome(Word.TWICE, 2, back_s=0.5)


def test_three_completions_are_told_as_such():
    found = outcome("0.05 worker-1 job.finished a\n 0.7 worker-1/2 job.finished a\n 1.7 worker-1/2 job.finished a")
    assert (found.word, found.times, found.text) == (Word.TWICE, 3, "3 times")


def test_execution_that_was_cut_off_is_no_completion():
    assert outcome("0.05 worker-1 job.running a\n 0.7 worker-1/2 job.running a\n 0.8 worker-1/2 job.finished a").word is Word.ONCE


def test_job_done_and_still_recorded_as_unfinished_is_pending():
    found = outcome('0.05 worker-1 job.finished a\n 8.9 harness job.held a text="in the hash unacked"')
    assert found == Outcome(Word.ONCE_PENDING, 1, "in the hash unacked")


def test_job_back_later_than_promised_is_late():
    assert outcome("5.2 worker-1/2 job.finished a", within_s=4.0) == Outcome(Word.LATE, 1, back_s=5.0)


def test_what_waited_for_a_shortened_lease_counts_as_long_as_the_real_one_takes():
    lease = Lease(3.0, 5.0, 3710.0, {"visibility_timeout": 3})
    late = outcome("3.2 worker-1/2 job.finished a", within_s=60.0, lease=lease)
    assert (late.word, late.where) == (Word.LATE, "about 3708 s without shortened leases")
    assert outcome("0.4 worker-1/2 job.finished a", within_s=60.0, lease=lease).word is Word.ONCE


def test_time_that_was_passed_by_the_clocks_counts_as_time():
    passed = "1.2 harness run.phase - text=passed value=62000000000\n"
    back = outcome(passed + "1.4 worker-1/2 job.finished a", within_s=60.0)
    assert back == Outcome(Word.LATE, 1, back_s=pytest.approx(63.2))
    assert outcome("0.7 worker-1/2 job.finished a\n" + passed, within_s=60.0) == Outcome(Word.ONCE, 1, back_s=0.5)


def test_strike_that_took_half_a_lease_tells_nothing():
    lease = Lease(3.0, 5.0, 3710.0, {"visibility_timeout": 3})
    found = outcome("2.0 harness fault.end - text=strike\n 2.2 worker-1/2 job.finished a", lease=lease)
    assert found.word is Word.UNKNOWN and "too busy" in found.where


def test_job_that_was_given_up_and_kept_is_dead_lettered():
    lines = '0.3 worker-1/2 job.dead a text=WorkerLost\n 8.9 harness job.buried a text="in the registry of failed jobs"'
    assert outcome(lines) == Outcome(Word.DEAD_LETTERED, where="in the registry of failed jobs")


def test_job_that_was_given_up_and_kept_nowhere_says_so():
    found = outcome("0.3 worker-1/2 job.dead a text=WorkerLost")
    assert found == Outcome(Word.DEAD_LETTERED, where="reported as failed (WorkerLost), kept nowhere")


def test_job_given_up_for_its_worker_and_done_after_all_is_once():
    assert outcome("0.3 worker-1 job.dead a text=WorkerLost\n 0.7 worker-1/2 job.finished a").word is Word.ONCE


def test_job_that_came_back_only_when_another_arrived_says_so():
    lines = """
        4.0 harness  run.phase             - text=nudge
        4.1 producer enqueue.begin         b
        4.1 producer enqueue.acknowledged  b
        4.3 worker-1/2 job.finished        b
        4.4 worker-1/2 job.finished        a
    """
    assert outcome(lines) == Outcome(Word.ONCE, 1, back_s=4.2, nudged=True)


def test_nudge_is_not_judged():
    """It is lost here, which says nothing about the job."""
    lines = "0.5 worker-1/2 job.finished a\n 4.1 producer enqueue.begin b\n 4.2 producer enqueue.acknowledged b"
    assert outcome(lines).word is Word.ONCE


SENDS_ANOTHER = """
    0.3  worker-1/2 job.running          a
    0.35 worker-1/2 enqueue.begin        c
    0.36 worker-1/2 enqueue.acknowledged c
    0.5  worker-1/2 job.finished         a
"""


def test_job_that_the_job_sent_is_judged_with_it():
    assert outcome(SENDS_ANOTHER).word is Word.LOST


def test_job_that_its_worker_sent_on_its_own_account_is_not_judged():
    """A periodic task of the worker's, say."""
    assert (
        outcome("0.5 worker-1/2 job.finished a\n 0.6 worker-1/2 enqueue.begin c\n 0.7 worker-1/2 enqueue.acknowledged c").word
        is Word.ONCE
    )


def test_tick_of_a_schedule_that_its_worker_sent_while_it_ran_the_job_is_not_judged():
    assert outcome(SENDS_ANOTHER + "0.36 worker-1/2 schedule.tick c").word is Word.ONCE


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ("0 producer enqueue.begin a\n 9 harness run.phase - text=over", "the message to strike at did not come"),
        (SENT, "the trial ended before it was over"),
        (SENT + "1 harness run.cut_short - text='the broker is gone'" + OVER, "the broker is gone"),
        (OVER, "the job was never sent"),
    ],
)
def test_what_could_not_be_seen_is_unknown(lines, why):
    assert outcome_of(history(lines), 60.0) == Outcome(Word.UNKNOWN, where=why)


def test_trial_with_a_failed_recorder_is_unknown():
    assert outcome("0.5 worker-1/2 job.finished a", failed=["worker-1"]).word is Word.UNKNOWN


def test_job_whose_enqueue_was_not_acknowledged_is_not_called_lost():
    lines = SENT.replace("enqueue.acknowledged", "enqueue.intended") + OVER
    assert outcome_of(history(lines), 60.0).word is Word.UNKNOWN


def test_outcome_survives_json():
    found = Outcome(Word.TWICE, 2, "somewhere", 0.5, True)
    assert Outcome.of(found.plain()) == found


def test_invariant_that_was_broken_is_told_with_the_outcome_and_one_that_nobody_could_check_is_not():
    found = outcome(
        "0.5 worker-1/2 job.finished a\n"
        '8.9 harness invariant.checked - value=1 task="charged once" text="o-1, 2"\n'
        '8.9 harness invariant.checked - value=-1 task="shipped" text="no such table"'
    )
    assert found == Outcome(Word.ONCE, 1, back_s=0.3, wrong={"charged once": "o-1, 2"})
    assert Outcome.of(found.plain()) == found


CHAIN = """
    0.000  producer  enqueue.linked        a  text=a value=0 task=pack
    0.000  producer  enqueue.linked        b  text=a value=1 task=ship
    0.000  producer  enqueue.linked        c  text=a value=2 task=bill
"""
DONE = "0.05 worker-1 job.finished a\n"
SENT_ON = "0.04 worker-1 enqueue.begin b\n 0.04 worker-1 enqueue.acknowledged b\n"


def test_chain_whose_next_job_nobody_enqueued_is_lost():
    lost = outcome(CHAIN + DONE)
    assert lost == Outcome(Word.LOST, where="nobody got ship enqueued, though all before it is done")
    begun = outcome(CHAIN + DONE + "0.04 worker-1 enqueue.begin b")
    assert begun == lost, "what was on its way when its sender died is lost all the same"
    assert outcome(CHAIN + DONE + "0.04 worker-1 enqueue.begin b\n 0.05 worker-1 job.received b") == Outcome(Word.LOST)


def test_chain_whose_next_job_was_enqueued_and_is_nowhere_is_lost():
    assert outcome(CHAIN + DONE + SENT_ON) == Outcome(Word.LOST)


def test_chain_is_once_when_all_its_jobs_are_and_twice_when_one_of_them_is():
    rest = "0.5 worker-1/2 job.finished b\n 0.6 worker-1/2 job.finished c\n"
    assert outcome(CHAIN + DONE + SENT_ON + rest).word is Word.ONCE
    assert outcome(CHAIN + DONE + SENT_ON + rest + "0.7 worker-1/2 job.finished b").word is Word.TWICE


def test_of_a_chain_only_the_jobs_whose_turn_has_come_count():
    # Given up: that the library then forgets the rest is no loss.
    assert outcome(CHAIN + "0.5 worker-1/2 job.dead a text=ValueError").word is Word.DEAD_LETTERED
    # The first is lost, and that is what is to be said, though the second waits for it somewhere.
    assert outcome(CHAIN + '8.9 harness job.held b text="deferred"') == Outcome(Word.LOST)


def test_group_is_lost_when_one_of_its_jobs_is():
    group = """
    0.000  producer  enqueue.linked        a  text=a value=0
    0.000  producer  enqueue.linked        b  text=a value=0
    0.001  producer  enqueue.begin         b
    0.001  producer  enqueue.acknowledged  b
    """
    assert outcome(group + DONE).word is Word.LOST
    assert outcome(group + DONE + "0.5 worker-1/2 job.finished b").word is Word.ONCE
