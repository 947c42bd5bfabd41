"""Each answer from a hand-written history of a trial: who owned the job, who settled it, and when nobody can tell."""

import pytest

from jobharness.explore.ownership import Answer, Schedule, ownership_of
from jobharness.queues.queue import LeaseTerms
from tests.histories import history

TERMS = LeaseTerms("a lease", "lease_s", lasts_s=3.0, found_s=1.0)
TAKEN = """
    0.000  producer  enqueue.begin         a
    0.001  producer  enqueue.acknowledged  a
    0.100  worker-1  job.running           a
    0.200  harness   run.phase             -  text=taken
    0.201  harness   job.held              a  text=unacked
    0.300  harness   run.phase             -  text=silent
"""
TAKEN_AGAIN = """
    4.000  worker-2  job.running           a
    4.100  harness   run.phase             -  text=waited
    4.200  harness   run.phase             -  text=resumed
    4.300  worker-1  job.finished          a
    4.400  harness   run.phase             -  text="owner ended"
"""
LOOKED = "\n 5.000 harness run.phase - text=looked\n"
STILL_HELD = " 5.001 harness job.held a text=unacked\n"
OVER = "\n 5.900 worker-2 job.finished a\n 6.000 harness run.phase - text=over\n"
NUDGED = """
    4.500  harness   run.phase             -  text=nudge
    4.501  producer  enqueue.begin         b
    4.600  {worker}  job.running           b
    {waited}  harness   run.phase             -  text=waited
"""


def answers(lines, schedule=Schedule.PAUSE, terms=TERMS):
    found = ownership_of(history(lines), schedule, terms)
    return found.two_owners, found.stale_settled


def test_second_begins_while_the_first_is_paused_and_the_broker_forgets_the_job_at_the_firsts_end():
    found = ownership_of(history(TAKEN + TAKEN_AGAIN + LOOKED + OVER), Schedule.PAUSE, TERMS)
    assert (found.two_owners, found.stale_settled) == (Answer.YES, Answer.YES)
    assert found.after_s == pytest.approx(3.7)
    assert found.why == (
        "worker-2 began it after 3.7 s, while worker-1 ran it; worker-1 settled it: the broker had forgotten it while worker-2 "
        "still ran it"
    )
    assert "  3.80 s  worker-2 begins it, too" in found.evidence


def test_broker_that_keeps_the_job_for_the_second_refused_the_first():
    assert answers(TAKEN + TAKEN_AGAIN + LOOKED + STILL_HELD + OVER) == (Answer.YES, Answer.REFUSED)


def test_first_that_failed_settled_nothing():
    lines = TAKEN + TAKEN_AGAIN.replace("job.finished", "job.failed  ")
    assert answers(lines + LOOKED + STILL_HELD + OVER) == (Answer.YES, Answer.NO)


def test_first_that_exited_when_it_was_to_go_on_was_no_live_owner():
    lines = TAKEN + TAKEN_AGAIN.replace("    4.300  worker-1  job.finished          a\n", "")
    assert answers(lines + LOOKED + STILL_HELD + OVER) == (Answer.NO, Answer.NONE)
    never_seen = lines.replace('    4.400  harness   run.phase             -  text="owner ended"\n', "")
    assert answers(never_seen + OVER) == (Answer.UNKNOWN, Answer.NONE)


def test_second_that_begins_when_the_lease_has_run_out_by_itself_says_nothing_of_clocks():
    assert answers(TAKEN + TAKEN_AGAIN + LOOKED + OVER, Schedule.AHEAD)[0] is Answer.UNKNOWN
    longer = LeaseTerms("a lease", lasts_s=60.0, found_s=1.0)
    assert answers(TAKEN + TAKEN_AGAIN + LOOKED + OVER, Schedule.AHEAD, longer)[0] is Answer.YES


def test_broker_that_was_not_asked_in_time_tells_nothing_of_the_stale_owner():
    early = "\n 4.500 worker-2 job.finished a\n"
    assert answers(TAKEN + TAKEN_AGAIN + early + LOOKED + OVER) == (Answer.YES, Answer.UNKNOWN)
    assert answers(TAKEN + TAKEN_AGAIN + OVER) == (Answer.YES, Answer.UNKNOWN)


def test_nobody_takes_it_though_the_lease_ran_out_and_another_looked():
    assert answers(TAKEN + NUDGED.format(worker="worker-2", waited="5.000")) == (Answer.NO, Answer.NONE)


def test_pause_that_did_not_outlast_the_lease_proves_nothing():
    early = NUDGED.format(worker="worker-2", waited="4.000").replace("4.5", "3.5").replace("4.6", "3.6")
    found = ownership_of(history(TAKEN + early), Schedule.PAUSE, TERMS)
    assert (found.two_owners, found.why) == (Answer.UNKNOWN, "3.7 s did not outlast the lease, 3 s and 1 s to find it")


def test_pause_during_which_nobody_looked_proves_nothing():
    waited = "\n 9.000 harness run.phase - text=waited\n"
    found = ownership_of(history(TAKEN + waited), Schedule.PAUSE, TERMS)
    assert (found.two_owners, found.why) == (
        Answer.UNKNOWN,
        "no other worker took a job meanwhile, so nobody may have looked",
    )
    # A job that the paused worker itself ran is no look of another's, but in a slow run any look counts.
    by_owner = TAKEN + NUDGED.format(worker="worker-1", waited="5.000")
    assert answers(by_owner)[0] is Answer.UNKNOWN
    assert answers(by_owner, Schedule.SLOW)[0] is Answer.NO


def test_lease_of_unknown_length_is_never_denied_to_run_out():
    assert answers(TAKEN + NUDGED.format(worker="worker-2", waited="5.000"), terms=None)[0] is Answer.UNKNOWN
    assert answers(TAKEN + TAKEN_AGAIN + LOOKED + OVER, terms=None)[0] is Answer.YES


def test_job_that_was_acknowledged_before_it_ran_cannot_be_handed_out_again():
    lines = TAKEN.replace("    0.201  harness   job.held              a  text=unacked\n", "")
    found = ownership_of(history(lines + "\n 5.0 harness run.phase - text=waited\n"), Schedule.PAUSE, TERMS)
    assert found.two_owners is Answer.NO and found.why.startswith("it was acknowledged before it ran")


def test_run_that_was_ended_at_its_limit_before_another_began_had_one_owner():
    lines = (
        TAKEN
        + """
        2.000  worker-1  job.timed_out  a
        4.000  worker-2  job.running    a
        4.100  harness   run.phase      -  text=waited
    """
    )
    found = ownership_of(history(lines), Schedule.SLOW, TERMS)
    assert (found.two_owners, found.why) == (Answer.NO, "worker-1 is ended at its time limit before another began")


def test_second_run_that_begins_when_the_first_was_let_go_and_had_ended_proves_no_more_than_none():
    """As of a job that is retried later."""
    later = "\n 9.0 harness run.phase - text=waited\n 9.1 worker-1 job.finished a\n 9.5 worker-2 job.running a\n"
    assert answers(TAKEN + later) == (Answer.UNKNOWN, Answer.NONE)


def test_step_of_a_clock_is_denied_only_when_another_had_the_time_to_look():
    looked = TAKEN + NUDGED.format(worker="worker-2", waited="4.900")
    assert answers(looked, Schedule.AHEAD)[0] is Answer.NO
    slow = LeaseTerms("a lease", "lease_s", lasts_s=60.0, found_s=30.0)
    assert answers(looked, Schedule.AHEAD, slow)[0] is Answer.UNKNOWN


def test_lease_that_never_runs_out_hands_nothing_out_again():
    assert answers(TAKEN + NUDGED.format(worker="worker-2", waited="5.000"), terms=LeaseTerms("none"))[0] is Answer.NO


def test_trial_that_was_cut_short_or_never_began_tells_nothing():
    assert answers("0.0 harness run.cut_short - text=broken")[0] is Answer.UNKNOWN
    assert answers("0.0 producer enqueue.begin a")[0] is Answer.UNKNOWN


def test_broker_is_said_to_have_kept_nothing_only_where_it_was_asked():
    def kept(lines):
        return ownership_of(history(lines), Schedule.PAUSE, TERMS).kept

    asked = TAKEN.replace("    0.201  harness   job.held              a  text=unacked\n", "")
    assert kept(TAKEN) and not kept(asked)
    assert kept("0.0 producer enqueue.begin a") and kept(asked + "\n 0.4 harness run.cut_short - text=broken")


def test_longest_time_between_two_renewals_is_seen():
    lines = TAKEN + "".join(f"\n {moment} worker-1 job.lease_extended a" for moment in (0.5, 1.5, 3.7))
    found = ownership_of(history(lines + NUDGED.format(worker="worker-2", waited="5.000")), Schedule.SLOW, TERMS)
    assert found.renewed_s == pytest.approx(2.2)


SWALLOWED = """
    2.000 worker-1  broker.message        a  value=-90 task=BLMOVE group="1 1 reply BLMOVE"
    4.500 harness   run.phase             -  text=nudge
    4.501 producer  enqueue.begin         b
    4.600 worker-2  job.running           b
    5.600 harness   run.phase             -  text=waited
    5.700 harness   run.phase             -  text=resumed
    5.710 worker-1  job.finished          a
    5.720 worker-1  job.running           a
    5.800 harness   run.phase             -  text="owner ended"
"""


def test_job_that_was_handed_again_to_its_stopped_owner_had_two_though_one_after_the_other():
    found = ownership_of(history(TAKEN + SWALLOWED + OVER), Schedule.PAUSE, TERMS)
    assert (found.two_owners, found.stale_settled) == (Answer.YES, Answer.NONE)
    assert found.why.startswith("it was handed out again after 1.7 s, to worker-1 itself")


def test_what_an_owner_that_still_speaks_is_told_of_its_job_is_no_second_delivery():
    speaks = '1.900 worker-1 broker.message a value=40 task=GET group="1 1 GET"'
    assert answers(TAKEN + speaks + SWALLOWED + OVER) == (Answer.NO, Answer.NONE)
    # And what another worker is told is none either.
    assert answers(TAKEN + SWALLOWED.replace("2.000 worker-1 ", "2.000 worker-2 ") + OVER) == (Answer.NO, Answer.NONE)


def test_stopped_worker_that_keeps_what_comes_meanwhile_is_named_where_nobody_else_looked():
    lines = """
        4.500 harness   run.phase             -  text=nudge
        4.501 producer  enqueue.begin         b
        5.600 harness   run.phase             -  text=waited
        5.700 harness   run.phase             -  text=resumed
        5.720 worker-1  job.running           b
    """
    found = ownership_of(history(TAKEN + lines + OVER), Schedule.PAUSE, TERMS)
    assert found.two_owners is Answer.UNKNOWN
    assert found.why == "worker-1 took 1 that came meanwhile, and ran them when it went on, so nobody else may have looked"
