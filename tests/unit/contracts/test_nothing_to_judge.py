"""Every contract on histories in which nothing happened that it could judge: what it lacked, and not a figure above 0."""

import pytest

from jobharness.contracts.contract import Word
from tests.histories import history
from tests.two_runs import CONTRACTS

LACKED = {
    "no_phantoms": "no job reached a worker",
    "at_least_once": "no job was acknowledged",
    "at_most_once": "no job was run",
    "exactly_once": "no job was acknowledged; no job was run",
    "exactly_once_effect": "no effect was recorded, and no job of the tasks named was acknowledged",
    "attempts_bounded": "no job was run",
    "backoff": "no job was retried, and nobody asked to wait",
    "time_limit": "no job was run",
    "slots_freed": "no execution was ended by its time limit",
    "rate_limit": "no job was run",
    "rate_limit of the run": "no job was run",
    "upstream_rate_limit": "no request reached the upstream",
    "concurrency_limit": "no job was run",
    "concurrency_limit of the run": "no job was run",
    "lease": "no job was run",
    "not_before": "no job was delayed",
    "deadline": "no job was acknowledged",
    "schedule_lateness": "no job was delayed",
    "one_run_per_tick": "no schedule came due",
    "fifo_per_key": "no job with a key was run",
    "priority": "no job with a priority was run",
    "starvation": "no job was acknowledged",
    "dead_letters": "no job was given up",
    "failures_visible": "no job was given up",
    "poison_contained": "no healthy job was acknowledged",
    "recovery": "no fault hit a job in flight",
    "throughput_recovery": "no fault struck",
    "drain_time": "the workload never ended, or no job was acknowledged",
    "graceful_stop": "no worker was asked to stop",
    "workers_stay_up": "no worker was started",
    "resources": "no worker was sampled over enough jobs",
}
HISTORIES = {
    "an empty history": "",
    "a job that was refused": """
        1.0 worker-1 worker.ready -
        2.0 producer enqueue.refused a
        3.0 producer producer.done -
    """,
}


@pytest.mark.parametrize("what", HISTORIES)
@pytest.mark.parametrize("name", LACKED)
def test_a_contract_without_anything_to_judge_says_what_it_lacked(name, what):
    finding = CONTRACTS[name].check(history(HISTORIES[what]))
    assert (finding.contract, finding.sentence) == (CONTRACTS[name].name, LACKED[name])
    assert finding.word in (Word.UNKNOWN, Word.VACUOUS) and not finding.offenders.height
    assert set(finding.counts.values()) == {0}


def test_every_contract_but_the_two_that_are_about_the_run_is_asked():
    assert set(CONTRACTS) - set(LACKED) == {"observed", "faults_hit"}
