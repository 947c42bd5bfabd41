"""How long jobs waited, on a history written by hand."""

from jobharness.contracts.contract import Word
from jobharness.contracts.starvation import Starvation
from tests.histories import history


def test_a_job_that_began_at_once_waited_for_nothing():
    finding = Starvation(1.0).check(
        history(
            "1.0 producer enqueue.begin a task=mail value=1s\n1.0 producer enqueue.acknowledged a\n1.0 worker-1 job.running a"
        )
    )
    assert (finding.word, finding.sentence) == (Word.HOLDS, "all 1 jobs began in time; mail: 0 ms at most")
