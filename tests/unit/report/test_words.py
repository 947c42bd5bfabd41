"""Figures and verdicts in the words of people."""

import pytest

from jobharness.contracts.contract import Finding, Verdict, Word
from jobharness.metrics.gate import Crossing
from jobharness.report.words import count, duration, figure, headline


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "–"),
        (0, "0 s"),
        (0.00085, "850 µs"),
        (0.0551, "55.1 ms"),
        (1.236, "1.24 s"),
        (99.4, "99.4 s"),
        (123, "2 min 3 s"),
        (120, "2 min"),
    ],
)
def test_a_duration_has_the_unit_that_a_person_would_choose(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words


def test_a_count_agrees_with_its_noun_and_a_figure_has_its_unit() -> None:
    assert (count(1, "job"), count(0, "job"), count(2048, "job")) == ("1 job", "0 jobs", "2,048 jobs")
    assert (figure(39.44, "1/s"), figure(12345, "jobs"), figure(None, "s"), figure(0.5, "s")) == (
        "39.4/s",
        "12,345",
        "–",
        "500 ms",
    )


def verdict(*findings: tuple[str, Word, str]) -> Verdict:
    return Verdict(tuple(Finding(*finding) for finding in findings))


LOST = ("at_least_once", Word.BROKEN, "6 of 320 acknowledged jobs were lost")
HIT = ("faults_hit", Word.HOLDS, "5 strikes hit 8 jobs in flight")
DONE = ("at_least_once", Word.HOLDS, "all 320 acknowledged jobs were completed")


@pytest.mark.parametrize(
    ("seen", "crossings", "words"),
    [
        (verdict(LOST), [], "The promise is broken. 6 of 320 acknowledged jobs were lost."),
        (verdict(LOST, HIT), [], "1 of 2 promises is broken. 6 of 320 acknowledged jobs were lost."),
        (verdict(("observed", Word.UNKNOWN, "cut short")), [], "No verdict: the run could not see enough. Cut short."),
        (verdict(("faults_hit", Word.VACUOUS, "kill#1 never fired")), [], "Nothing was proved: the faults hit no job at work. Kill#1 never fired."),
        (verdict(HIT, DONE), [], "All 2 promises hold. 5 strikes hit 8 jobs in flight. All 320 acknowledged jobs were completed."),
        (verdict(HIT), [Crossing("drain", "crossed", "drain is 9 s")], "The promise holds, but the gate is crossed. Drain is 9 s."),
        (verdict(HIT), [Crossing("drain", "unknown", "not seen")], "The promise holds, but the gate cannot be judged. Not seen."),
        (verdict(), [], "Nothing was promised, so nothing can be said."),
    ],
)  # fmt: skip
def test_the_verdict_of_a_run_is_a_sentence(seen: Verdict, crossings: list[Crossing], words: str) -> None:
    assert headline(seen, crossings) == words
