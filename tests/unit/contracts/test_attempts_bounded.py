"""How often a job may be executed, on a history written by hand."""

from jobharness.contracts.attempts_bounded import AttemptsBounded
from tests.histories import history


def test_as_many_attempts_as_allowed_are_no_offence_and_the_most_are_told_first():
    runs = [("a", 1), ("b", 2), ("c", 3), ("d", 4)]
    seen = history("\n".join(f"{number}.0 worker-1 job.running {job}" for job, times in runs for number in range(times)))
    finding = AttemptsBounded(2).check(seen)
    assert [(seen.job_id(job), row, why) for job, row, why in finding.offenders.iter_rows()] == [
        ("d", None, "executed 4 times"),
        ("c", None, "executed 3 times"),
    ]
    assert finding.counts == {"ran": 4, "over": 2, "most": 4}
    assert finding.sentence == "2 jobs were executed more than 2 times, one of them 4 times"
    assert AttemptsBounded(4).check(seen).sentence == "no job was executed more than 4 times"
