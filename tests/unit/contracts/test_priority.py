"""Which jobs were taken while a more urgent one waited, on histories written by hand."""

import pytest

from jobharness.contracts.contract import Word
from jobharness.contracts.priority import Priority
from tests.histories import history


def _job(job, rank, sent, running, received=None):
    lines = [f"{sent} producer enqueue.priority {job} value={rank}", f"{sent} producer enqueue.acknowledged {job}"]
    lines += [f"{received} worker-1 job.received {job}"] if received is not None else []
    return "\n".join([*lines, f"{running} worker-1 job.running {job}", ""])


def _jumped(*lines, allowed=0.0):
    seen = history("".join(lines))
    finding = Priority(allowed).check(seen)
    return finding, [(seen.job_id(job), why) for job, _, why in finding.offenders.iter_rows()]


def _why(by_ms):
    return f"began {by_ms} ms before a more urgent job that was waiting"


@pytest.mark.parametrize(
    ("what", "lines", "expected"),
    [
        ("the urgent one waited", [_job("urgent", 1, 1.0, 5.0), _job("a", 2, 1.0, 4.0)], [("a", _why(1000))]),
        ("the urgent one was no more urgent", [_job("urgent", 2, 1.0, 5.0), _job("a", 2, 1.0, 4.0)], []),
        ("the urgent one was sent as it was taken", [_job("urgent", 1, 4.0, 5.0), _job("a", 2, 1.0, 4.0)], []),
        ("the urgent one was sent just before", [_job("urgent", 1, 3.999, 5.0), _job("a", 2, 1.0, 4.0)], [("a", _why(1000))]),
        ("the urgent one began at the same moment", [_job("urgent", 1, 1.0, 4.0), _job("a", 2, 1.0, 4.0)], []),
        ("it was fetched ahead before", [_job("urgent", 1, 3.0, 5.0), _job("a", 2, 1.0, 4.0, received=2.0)], []),
        (
            "it was fetched while one waited",
            [_job("urgent", 1, 3.0, 5.0), _job("a", 2, 1.0, 4.0, received=3.5)],
            [("a", _why(1000))],
        ),
        (
            "the urgent one was not due yet",
            [_job("urgent", 1, 1.0, 5.0), "1.0 producer enqueue.not_before urgent value=4s\n", _job("a", 2, 1.0, 4.0)],
            [],
        ),
        (
            "the urgent one was just due",
            [_job("urgent", 1, 1.0, 5.0), "1.0 producer enqueue.not_before urgent value=3.9s\n", _job("a", 2, 1.0, 4.0)],
            [("a", _why(1000))],
        ),
        (
            "of several urgent ones the one that waited longest counts",
            [_job("u1", 1, 1.0, 9.0), _job("u2", 1, 2.0, 5.0), _job("a", 2, 1.0, 4.0)],
            [("a", _why(5000))],
        ),
        (
            "each rank waits for all that are more urgent, the longest is told first",
            [_job("u", 0, 1.0, 9.0), _job("v", 1, 1.0, 7.0), _job("w", 2, 1.0, 3.0)],
            [("w", _why(6000)), ("v", _why(2000))],
        ),
    ],
)
def test_a_job_is_taken_while_a_more_urgent_one_waits(what, lines, expected):
    finding, jumped = _jumped(*lines)
    assert jumped == expected, what
    assert finding.word is (Word.BROKEN if expected else Word.HOLDS)


@pytest.mark.parametrize(("allowed", "word"), [(0.5, Word.HOLDS), (0.49, Word.BROKEN)])
def test_a_share_of_them_may_be_allowed(allowed, word):
    finding, jumped = _jumped(_job("urgent", 1, 1.0, 5.0), _job("a", 2, 1.0, 4.0), allowed=allowed)
    assert (finding.word, len(jumped)) == (word, int(word is Word.BROKEN))
    assert finding.counts == {"ranked": 2, "inversions": 1}
    if word is Word.HOLDS:
        assert finding.sentence == "1 inversions among 2 jobs with a priority"


def test_jobs_without_a_priority_or_never_run_are_not_judged():
    lines = "1.0 producer enqueue.acknowledged b\n2.0 worker-1 job.running b\n"
    never = "1.0 producer enqueue.priority n value=0\n1.0 producer enqueue.acknowledged n\n"
    finding, jumped = _jumped(lines, never, _job("a", 2, 1.0, 4.0))
    assert (finding.word, finding.counts, jumped) == (Word.HOLDS, {"ranked": 1, "inversions": 0}, [])
