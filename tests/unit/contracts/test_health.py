"""Health that tells the truth, on histories written by hand: the whole finding."""

import pytest

from jobharness.contracts.contract import Word
from jobharness.contracts.health import HealthHonest
from tests.histories import history

LIE = "said 200 for {} ms while no worker took jobs"


def _run(lines, begin=0.0, stop=10.0):
    return history(f"{begin} harness run.phase - text=workload\n{lines}\n{stop} harness run.phase - text=stop")


def _answers(status, *moments):
    return "\n".join(f"{at} harness health.answered - value={status}" for at in moments)


def _whole(finding):
    return finding.word, finding.sentence, dict(finding.counts), list(finding.offenders.iter_rows())


def _counts(asked, lies, stretches, away_ms, longest_ms):
    return {"asked": asked, "lies": lies, "stretches": stretches, "away_ms": away_ms, "longest_ms": longest_ms}


def test_health_that_says_200_while_no_worker_is_ready_lies():
    finding = HealthHonest(1).check(
        _run("""
        0.0 worker-1 worker.ready -
        0.5 harness health.answered - value=200
        1.0 harness worker.exited - text=worker-1
        1.5 harness health.answered - value=200
        2.0 harness health.answered - value=200
        3.5 harness health.answered - value=200
        4.0 worker-1 worker.ready -
        5.0 harness health.answered - value=200
    """)
    )
    sentence = "health said 200 for 2000 ms while no worker took jobs"
    assert _whole(finding) == (Word.BROKEN, sentence, _counts(5, 1, 1, 3000, 2000), [(None, 4, LIE.format(2000))])
    assert finding.contract == "health_honest"


def test_health_that_soon_says_anything_but_200_is_honest():
    """It lied for half a second, and once more for no time."""
    lines = "0.0 worker-1 worker.ready -\n1.0 harness worker.exited - text=worker-1\n4.0 worker-1 worker.ready -\n"
    finding = HealthHonest(1).check(_run(lines + _answers(200, 1.5, 2.0, 3.9) + "\n" + _answers(503, 2.5, 3.0)))
    sentence = "no worker took jobs for 3000 ms, and health said 200 for 500 ms at most"
    assert _whole(finding) == (Word.HOLDS, sentence, _counts(5, 0, 1, 3000, 500), [])


def test_a_lie_of_just_the_time_allowed_is_none():
    finding = HealthHonest(1).check(_run("5.0 worker-1 worker.ready -\n" + _answers(200, 1.0, 2.0)))
    assert _whole(finding)[0::2] == (Word.HOLDS, _counts(2, 0, 1, 5000, 1000))


def test_a_lie_may_begin_with_the_stretch_and_is_over_with_it():
    lines = "0.0 worker-1 worker.ready -\n1.0 harness worker.exited - text=worker-1\n4.0 worker-1 worker.ready -\n"
    finding = HealthHonest(0.5).check(_run(lines + _answers(200, 1.0, 2.0, 4.0)))
    assert _whole(finding)[2:] == (_counts(3, 1, 1, 3000, 1000), [(None, 3, LIE.format(1000))])


def test_another_answer_ends_a_lie_and_the_longest_is_told_first():
    finding = HealthHonest(0.5).check(_run(_answers(200, 1.0, 2.0, 4.0, 6.0, 7.0) + "\n" + _answers(503, 3.0)))
    assert list(finding.offenders["why"]) == [LIE.format(3000), LIE.format(1000)]
    assert dict(finding.counts) == _counts(6, 2, 1, 10_000, 3000)


def test_what_is_said_before_the_workload_or_after_it_is_no_lie():
    lines = _answers(200, 0.5, 1.9, 2.0, 3.0, 8.0, 9.5)
    finding = HealthHonest(0.0).check(_run(lines, begin=2.0, stop=8.0))
    assert _whole(finding)[2:] == (_counts(6, 1, 1, 6000, 1000), [(None, 3, LIE.format(1000))])


def test_without_a_stop_a_stretch_lasts_to_the_end():
    finding = HealthHonest(0.5).check(history("0.0 harness run.phase - text=workload\n" + _answers(200, 1.0, 2.0, 3.0)))
    assert dict(finding.counts) == _counts(3, 1, 1, 3000, 1000)


def test_a_stretch_that_begins_when_the_workload_is_over_is_none():
    lines = "0.0 worker-1 worker.ready -\n8.0 harness worker.exited - text=worker-1\n9.0 harness health.answered - value=200"
    finding = HealthHonest(0.5).check(_run(lines, stop=8.0))
    assert _whole(finding)[:3] == (
        Word.UNKNOWN,
        "some worker took jobs all the time, so health had nothing to hide",
        _counts(1, 0, 0, 0, 0),
    )


@pytest.mark.parametrize(
    ("what", "lines"),
    {
        "another is ready": """
            0.0 worker-1 worker.ready -
            0.0 worker-2 worker.ready -
            1.0 harness worker.exited - text=worker-1
        """,
        "one that never was ready exits": """
            0.0 worker-1 worker.ready -
            1.0 harness worker.exited - text=worker-2
        """,
        "it is replaced at the same moment": """
            0.0 worker-1 worker.ready -
            1.0 harness worker.exited - text=worker-1
            1.0 worker-1 worker.ready -
        """,
        "one is told to be gone twice": """
            0.0 worker-1 worker.ready -
            0.0 worker-2 worker.ready -
            1.0 harness worker.exited - text=worker-1
            1.0 harness worker.exited - text=worker-1
        """,
        "a job waits behind one that is under way": """
            0.0 worker-1 worker.ready -
            1.0 worker-1 job.running a
            1.0 producer enqueue.acknowledged b
            9.5 worker-1 job.finished a
            9.5 worker-1 job.running b
            9.6 worker-1 job.finished b
        """,
        "nothing waits": """
            0.0 worker-1 worker.ready -
            1.0 producer enqueue.acknowledged a
            1.0 worker-1 job.running a
            1.5 worker-1 job.finished a
            1.6 producer enqueue.unknown b
        """,
    }.items(),
)
def test_workers_take_jobs_where(what, lines):
    finding = HealthHonest(0.5).check(_run(lines + _answers(200, 0.5, 2.0, 9.0)))
    assert (finding.word, finding.counts["stretches"], finding.counts["away_ms"]) == (Word.UNKNOWN, 0, 0), what


@pytest.mark.parametrize(
    ("what", "lines", "stretches", "away_ms"),
    [
        ("none was ever ready", "9.9 worker-1 job.received a", 1, 10_000),
        (
            "one that was told to be ready twice exits",
            "0.0 worker-1 worker.ready -\n1.0 worker-1/7 worker.ready -\n2.0 harness worker.exited - text=worker-1",
            1,
            8000,
        ),
        (
            "one is gone at the moment at which it is ready",
            "5.0 worker-1 worker.ready -\n5.0 harness worker.exited - text=worker-1",
            1,
            10_000,
        ),
        (
            "both are away for a while",
            "0.0 worker-1 worker.ready -\n0.0 worker-2 worker.ready -\n1.0 harness worker.exited - text=worker-1\n"
            "2.0 harness worker.exited - text=worker-2\n5.0 worker-2 worker.ready -\n6.0 worker-1 worker.ready -",
            1,
            3000,
        ),
        (
            "they are away twice",
            "1.0 worker-1 worker.ready -\n3.0 harness worker.exited - text=worker-1\n7.0 worker-1 worker.ready -",
            2,
            5000,
        ),
        (
            "a ready one lets a job wait that was never taken",
            "0.0 worker-1 worker.ready -\n1.0 producer enqueue.acknowledged a",
            1,
            9000,
        ),
        (
            "a ready one takes a job late, while two wait",
            "0.0 worker-1 worker.ready -\n1.0 producer enqueue.acknowledged a\n1.0 producer enqueue.acknowledged b\n"
            "5.0 worker-1 job.running a\n6.0 worker-1 job.finished a\n7.0 worker-1 job.running b\n8.0 worker-1 job.finished b",
            2,
            5000,
        ),
        (
            "a job of which nobody knows that it was sent is taken and does not make up for one that waits",
            "0.0 worker-1 worker.ready -\n1.0 worker-1 job.running x\n2.0 worker-1 job.finished x\n3.0 producer enqueue.acknowledged a",
            1,
            7000,
        ),
    ],
)
def test_no_worker_takes_jobs_where(what, lines, stretches, away_ms):
    finding = HealthHonest(0.5).check(_run(lines + "\n" + _answers(503, 5.0)))
    assert (finding.word, finding.counts["stretches"], finding.counts["away_ms"]) == (Word.HOLDS, stretches, away_ms), what


def test_health_that_was_never_asked_is_unknown():
    finding = HealthHonest(1).check(_run(""))
    assert (finding.word, finding.sentence) == (Word.UNKNOWN, "the health URL was never asked")


def test_a_run_without_a_workload_has_no_stretch():
    finding = HealthHonest(1).check(history(_answers(200, 1.0, 9.0)))
    assert (finding.word, dict(finding.counts)) == (Word.UNKNOWN, _counts(2, 0, 0, 0, 0))


def test_a_lie_that_was_heard_is_one_though_the_run_was_cut_short():
    assert HealthHonest(1).check(_run(_answers(200, 1.0, 9.0) + "\n9.5 harness run.cut_short -")).word is Word.BROKEN
