"""What workers use, on histories written by hand: a job ends each second, and samples stand half a second after."""

import pytest

from jobharness.contracts.contract import Word
from jobharness.contracts.resources import Resources
from tests.histories import history

MEMORY, DESCRIPTORS, CPU = "resource.memory", "resource.descriptors", "resource.cpu"


def _jobs(count, worker="worker-1"):
    return "\n".join(f"{n}.9 {worker} job.running {worker}{n}\n{n + 1}.0 {worker} job.finished {worker}{n}" for n in range(count))


def _samples(kind, values, worker="worker-1", pid=7, at=0.5):
    return "\n".join(f"{n + at} harness {kind} - text={worker} group={pid} value={value}" for n, value in enumerate(values))


def _check(contract, *lines):
    finding = contract.check(history("\n".join(lines)))
    return finding.word, dict(finding.counts), finding.offenders["why"].to_list()


GROWTH = _samples(MEMORY, [100 + 5 * n for n in range(11)])


@pytest.mark.parametrize(
    ("bound", "word", "whys"),
    [
        (5001, Word.HOLDS, []),
        (4999, Word.BROKEN, ["worker-1: 5000 bytes per 1,000 jobs, more than 4999"]),
        (0, Word.BROKEN, ["worker-1: 5000 bytes per 1,000 jobs, more than 0"]),
    ],
)
def test_memory_grows_by_no_more_than_allowed_with_the_jobs(bound, word, whys):
    counts = {"judged": 1, "over": len(whys)}
    assert _check(Resources(memory_per_1000=bound, fewest_jobs=8), _jobs(11), GROWTH) == (word, counts, whys)


@pytest.mark.parametrize(("fewest", "judged"), [(8, 1), (9, 0)])
def test_a_process_is_judged_when_it_ended_enough_jobs_after_the_first_fifth_of_its_samples(fewest, judged):
    """Of eleven samples the first two are left out: from the third to the last eight jobs ended."""
    word, counts, _ = _check(Resources(memory_per_1000=1e9, fewest_jobs=fewest), _jobs(11), GROWTH)
    assert (word, counts["judged"]) == (Word.HOLDS if judged else Word.UNKNOWN, judged)


def test_the_first_fifth_of_the_samples_is_left_out_where_caches_fill():
    filling = _samples(MEMORY, [0, 50_000, *[90_000] * 9])
    assert _check(Resources(memory_per_1000=1, fewest_jobs=8), _jobs(11), filling)[0] is Word.HOLDS


def test_one_sample_is_no_line():
    assert _check(Resources(memory_per_1000=1, fewest_jobs=0), _jobs(3), _samples(MEMORY, [5]))[0] is Word.UNKNOWN


def test_two_samples_are_one():
    word, counts, whys = _check(Resources(memory_per_1000=1, fewest_jobs=1), _jobs(3), _samples(MEMORY, [5, 7]))
    assert (word, counts, whys) == (Word.BROKEN, {"judged": 1, "over": 1}, ["worker-1: 2000 bytes per 1,000 jobs, more than 1"])


def test_a_job_that_ends_as_the_sample_is_taken_counts_in_it():
    """Both samples stand where a job ends: one job lies between."""
    samples = _samples(MEMORY, [5, 7], at=1.0)
    assert _check(Resources(memory_per_1000=1, fewest_jobs=1), _jobs(2), samples)[2] == [
        "worker-1: 2000 bytes per 1,000 jobs, more than 1"
    ]
    assert _check(Resources(memory_per_1000=1, fewest_jobs=2), _jobs(2), samples)[0] is Word.UNKNOWN


def test_an_execution_that_was_cut_off_has_not_ended():
    cut = "0.7 worker-1 job.running x\n" + _samples(MEMORY, [5, 7, 9])
    assert _check(Resources(memory_per_1000=1e9, fewest_jobs=2), _jobs(3), cut)[1]["judged"] == 1
    assert _check(Resources(memory_per_1000=1e9, fewest_jobs=3), _jobs(3), cut)[1]["judged"] == 0


def test_descriptors_and_processor_time_have_units_of_their_own():
    samples = _samples(DESCRIPTORS, [3, 4, 5]) + "\n" + _samples(CPU, ["1s", "2s", "5s"])
    word, counts, whys = _check(Resources(descriptors_per_1000=10, cpu_per_job_s=1.5, fewest_jobs=2), _jobs(3), samples)
    assert (word, counts) == (Word.BROKEN, {"judged": 2, "over": 2})
    assert whys == [
        "worker-1: 1000 descriptors per 1,000 jobs, more than 10",
        "worker-1: 2 s of processor time per job, more than 1.5",
    ]


def test_what_was_used_before_the_first_sample_does_not_count():
    """The samples stand after the third, fourth and fifth job."""
    samples = _samples(CPU, ["9s", "10s", "11s"], at=3.5)
    assert _check(Resources(cpu_per_job_s=0.9, fewest_jobs=2), _jobs(6), samples)[2] == [
        "worker-1: 1 s of processor time per job, more than 0.9"
    ]


def test_the_furthest_beyond_its_bound_is_told_first():
    samples = _samples(DESCRIPTORS, [3, 4, 5]) + "\n" + _samples(CPU, ["1s", "2s", "5s"])
    assert _check(Resources(descriptors_per_1000=999, cpu_per_job_s=0.1, fewest_jobs=2), _jobs(3), samples)[2] == [
        "worker-1: 2 s of processor time per job, more than 0.1",
        "worker-1: 1000 descriptors per 1,000 jobs, more than 999",
    ]
    assert _check(Resources(descriptors_per_1000=0, cpu_per_job_s=0.001, fewest_jobs=2), _jobs(3), samples)[2] == [
        "worker-1: 1000 descriptors per 1,000 jobs, more than 0",
        "worker-1: 2 s of processor time per job, more than 0.001",
    ]


def test_each_worker_is_judged_by_its_own_jobs_and_each_process_by_its_own_samples():
    lines = (
        _jobs(3),
        _jobs(1, "worker-2"),
        _samples(MEMORY, [1, 2, 3]),
        _samples(MEMORY, [1, 11, 21], pid=8, at=0.6),
        _samples(MEMORY, [1, 9, 99], worker="worker-2", pid=9),
        _samples(MEMORY, [1, 9, 99], worker="worker-3", pid=10),
    )
    assert _check(Resources(memory_per_1000=5000, fewest_jobs=2), *lines) == (
        Word.BROKEN,
        {"judged": 2, "over": 1},
        ["worker-1: 1e+04 bytes per 1,000 jobs, more than 5000"],
    )


LIMIT = "0.0 harness resource.memory_limit - text=worker-1 group=7 value={}\n"


@pytest.mark.parametrize(
    ("lines", "word", "whys"),
    [
        (LIMIT.format(100) + _samples(MEMORY, [10, 85, 20]), Word.HOLDS, []),
        (LIMIT.format(100) + _samples(MEMORY, [10, 86, 20]), Word.BROKEN, ["worker-1: 0.86 of its memory limit, more than 0.85"]),
        (LIMIT.format(10) + LIMIT.format(100) + _samples(MEMORY, [10]), Word.HOLDS, []),
        (LIMIT.format(100).replace("group=7", "group=8") + _samples(MEMORY, [99]), Word.UNKNOWN, []),
        (LIMIT.format(100), Word.UNKNOWN, []),
        (_samples(MEMORY, [99]), Word.UNKNOWN, []),
    ],
)
def test_memory_stays_below_a_share_of_its_last_limit_at_its_highest(lines, word, whys):
    assert _check(Resources(memory_share=0.85), lines)[::2] == (word, whys)


def test_the_offender_is_the_last_sample_of_the_process():
    finding = Resources(memory_share=0.5).check(history(LIMIT.format(100) + _samples(MEMORY, [99, 10, 10])))
    assert list(finding.offenders.iter_rows()) == [(None, 3, "worker-1: 0.99 of its memory limit, more than 0.5")]


def test_what_has_no_bound_is_not_judged():
    finding = Resources(cpu_per_job_s=1).check(history(_jobs(11) + "\n" + GROWTH))
    assert (finding.word, finding.sentence) == (Word.UNKNOWN, "no worker was sampled over enough jobs")
