"""Whether jobs are completed at their former rate again, on histories written by hand: two jobs each second, a strike at 6 s."""

import pytest

from jobharness.contracts.contract import Word
from jobharness.contracts.throughput_recovery import ThroughputRecovery
from tests.histories import history

STRIKE = "6.0 harness fault.begin - text=kill\n"


def _run(rates, strikes=STRIKE):
    """Two jobs are sent each second; as many are completed as `rates` says."""
    lines = [f"{second}.{n} producer enqueue.acknowledged s{second}{n}" for second in range(len(rates)) for n in range(2)]
    waiting = [f"s{second}{n}" for second in range(len(rates)) for n in range(2)]
    for second, rate in enumerate(rates):
        lines += [f"{second}.9 worker-1 job.finished {waiting.pop(0)}" for _ in range(rate)]
    return history(strikes + "\n".join(lines))


@pytest.mark.parametrize(
    ("rates", "word", "offenders"),
    [
        ([2] * 6 + [0, 2, 2], Word.HOLDS, []),
        ([2] * 6 + [0, 1, 2], Word.BROKEN, [(None, "1 jobs/s, where 2 jobs/s were the median before")]),
        ([2] * 6 + [0, 0, 2], Word.BROKEN, [(None, "0 jobs/s, where 2 jobs/s were the median before")]),
    ],
)
def test_the_second_after_the_time_allowed_is_as_fast_as_before(rates, word, offenders):
    finding = ThroughputRecovery(1.0, 0.9).check(_run(rates))
    assert (finding.word, [(job, why) for job, _, why in finding.offenders.iter_rows()]) == (word, offenders)
    assert finding.counts == {"strikes": 1, "low": len(offenders), "median_before": 2}


def test_what_is_not_waiting_need_not_be_completed():
    """All that was sent is completed: there is nothing left to be fast with."""
    lines = "\n".join(
        f"{second}.0 producer enqueue.acknowledged a{second}\n{second}.5 worker-1 job.finished a{second}" for second in range(6)
    )
    assert ThroughputRecovery(1.0, 0.9).check(history(STRIKE + lines)).word is Word.HOLDS


def test_before_a_fault_there_must_be_enough_seconds_of_traffic():
    finding = ThroughputRecovery(1.0, 0.9).check(_run([2] * 9, strikes="2.0 harness fault.begin - text=kill\n"))
    assert (finding.word, finding.sentence) == (Word.UNKNOWN, ThroughputRecovery.nothing)
