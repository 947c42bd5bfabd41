"""A verdict in the light of its control run."""

from jobharness.contracts.contract import Finding, Verdict, Word

BROKEN = Finding("at_least_once", Word.BROKEN, "3 of 10 acknowledged jobs were lost")
HELD = Finding("at_least_once", Word.HOLDS, "all 10 acknowledged jobs were completed")


def test_broken_stays_broken_where_the_control_held():
    verdict = Verdict((BROKEN,)).against(Verdict((HELD,)), "run-1")
    assert verdict.word is Word.BROKEN
    assert verdict["control"].word is Word.HOLDS
    assert "run-1" in verdict["control"].sentence


def test_nothing_is_broken_by_a_fault_where_the_control_was_broken_too():
    verdict = Verdict((BROKEN,)).against(Verdict((BROKEN,)), "run-1")
    assert verdict.word is Word.UNKNOWN
    assert verdict["control"].sentence == (
        "broken before any fault (run run-1): at_least_once: broken: 3 of 10 acknowledged jobs were lost"
    )
    assert verdict["at_least_once"].sentence == (
        "3 of 10 acknowledged jobs were lost (but the contract does not hold without faults either)"
    )
    assert verdict["at_least_once"].counts is BROKEN.counts
    assert verdict["at_least_once"].word is Word.UNKNOWN
    assert verdict["at_least_once"].offenders is BROKEN.offenders


def test_what_holds_cannot_pass_where_the_control_could_not_see():
    blind = Finding("observed", Word.UNKNOWN, "the producer did not send its whole plan")
    assert Verdict((HELD,)).against(Verdict((blind,)), "run-1").word is Word.UNKNOWN
