"""What a trial of a crash map came to, from its job's outcome and from the ledger of its effects together."""

from types import SimpleNamespace

from jobharness.contracts.exactly_once_effect import ExactlyOnceEffect
from jobharness.explore.crash_map import Explorer
from jobharness.explore.outcome import Outcome, Word
from jobharness.scenario.model import CrashmapSpec
from tests.histories import history

SENT = """
    0.000  producer  enqueue.begin         a  text=shop.charge
    0.001  producer  enqueue.acknowledged  a
    0.100  harness   run.phase             -  text=struck
    0.200  harness   run.phase             -  text=recovering
"""
OVER = "\n9.000  harness  run.phase  -  text=over\n"
DONE = "\n0.500 worker-1 job.finished a"
AGAIN = "\n0.700 worker-1 job.finished a"
EFFECT = '\n0.400 upstream effect.applied a text="POST /charges"'
UNSEEN = "no effect was recorded, and no job of the tasks named was acknowledged"


def judged(lines, delivery="at-least-once", **promise):
    explorer = Explorer.__new__(Explorer)
    explorer.spec, explorer.promised = CrashmapSpec(within="60s"), delivery
    parts = SimpleNamespace(contracts=[ExactlyOnceEffect(**promise)])
    explorer._preparation = SimpleNamespace(parts=parts, lease=None)
    return explorer.judge(history(SENT + lines + OVER))


def test_job_that_was_done_and_whose_effect_was_seen_once_is_right():
    assert judged(EFFECT + DONE) == Outcome(Word.ONCE, 1, back_s=0.3)


def test_effect_that_was_applied_again_is_wrong():
    assert judged(EFFECT + EFFECT + DONE).wrong == {"exactly_once_effect": "1 effects were applied again"}


def test_job_that_was_done_and_calls_nothing_that_keeps_a_ledger_is_not_told():
    assert judged(DONE) == Outcome(Word.UNKNOWN, where=UNSEEN)


def test_job_that_was_never_done_need_have_no_effect():
    assert judged("") == Outcome(Word.LOST)


def test_outcome_that_is_wrong_whatever_the_effects_stays_so():
    assert judged(DONE + AGAIN, "exactly-once").word is Word.TWICE
    assert judged(DONE + AGAIN).word is Word.UNKNOWN
    left_wrong = '\n8.000 harness invariant.checked - task="no negative stock" value=1 text="-3"'
    assert judged(DONE + left_wrong).wrong == {"no negative stock": "-3"}
