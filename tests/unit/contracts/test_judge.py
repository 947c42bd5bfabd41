"""What becomes of a finding where the run was aborted, where nobody could see, and where the contract itself crashed."""

from __future__ import annotations

from dataclasses import replace

from jobharness.contracts.at_least_once import AtLeastOnce
from jobharness.contracts.at_most_once import AtMostOnce
from jobharness.contracts.contract import Finding, Verdict, Word, judge
from jobharness.contracts.lease import Lease
from jobharness.history.frame import History
from tests.histories import history

TWICE = "1.0 worker-1 job.running a\n2.0 worker-1 job.running a\n"


def test_what_an_aborted_run_seems_to_break_is_unknown():
    seen = history(TWICE + "3.0 producer enqueue.acknowledged a\n9.0 harness run.aborted -")
    verdict = judge(seen, [AtMostOnce()])
    (finding,) = verdict.findings
    assert (finding.contract, finding.word) == ("at_most_once", Word.UNKNOWN)
    assert finding.sentence == "1 of 1 jobs were run more often than they asked for (seen until the run was aborted)"
    assert finding.counts == AtMostOnce().check(seen).counts
    assert finding.offenders.rows() == [(0, 1, "ran 2 times, 0 of them retries it asked for")]


def test_what_an_aborted_run_kept_is_kept():
    seen = history("1.0 worker-1 job.running a\n9.0 harness run.aborted -")
    assert judge(seen, [AtMostOnce()]).word is Word.HOLDS


def test_a_contract_that_needs_what_nobody_could_see_is_unknown():
    told = history(TWICE)
    seen = History(told.events, told.jobs, told.processes, told.texts, {**told.header, "unseen": ["job.running", "job.received"]})
    (finding,) = judge(seen, [Lease()]).findings
    assert (finding.contract, finding.word, finding.promise) == ("lease", Word.UNKNOWN, Lease().promise)
    assert finding.sentence == "nobody could see job.received, job.running: completions were observed from outside"


class _Deep:
    name, promise, needs = "deep", "it never crashes", frozenset()

    def check(self, seen):
        return self.one()

    def one(self):
        return self.two()

    def two(self):
        return self.three()

    def three(self):
        return self.four()

    def four(self):
        raise ZeroDivisionError("of nothing")


def test_a_crash_is_told_by_its_last_four_calls():
    (finding,) = judge(history(TWICE), [_Deep()]).findings
    assert (finding.contract, finding.word, finding.promise) == ("deep", Word.UNKNOWN, "it never crashes")
    assert finding.sentence.startswith("the contract itself crashed; please report it:\nTraceback (most recent call last):\n")
    assert [line.rsplit(" ")[-1] for line in finding.sentence.splitlines() if " in " in line] == ["one", "two", "three", "four"]


def test_everything_that_was_wrong_in_the_control_run_is_named():
    lost = Finding("at_least_once", Word.BROKEN, "3 of 10 acknowledged jobs were lost")
    blind = Finding("observed", Word.UNKNOWN, "no worker ever became ready")
    held = replace(lost, contract="lease", word=Word.HOLDS)
    verdict = Verdict((lost, held)).against(Verdict((lost, held, blind)), "run-1")
    assert verdict["control"].sentence == (
        "broken before any fault (run run-1): at_least_once: broken: 3 of 10 acknowledged jobs were lost; "
        "observed: unknown: no worker ever became ready"
    )
    assert verdict["lease"] is held


def test_a_promise_is_put_into_each_finding():
    verdict = judge(history(TWICE), [AtMostOnce(), AtLeastOnce()])
    assert {finding.contract: finding.promise for finding in verdict.findings} == {
        "at_most_once": AtMostOnce().promise,
        "at_least_once": AtLeastOnce().promise,
    }
