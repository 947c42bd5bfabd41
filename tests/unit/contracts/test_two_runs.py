"""Every contract on two runs written by hand: the whole finding, sentence, figures and offenders in their order."""

from __future__ import annotations

from typing import Any

import pytest

from jobharness.contracts.contract import Finding, Word, judge
from tests.histories import history
from tests.two_runs import BAD, CONTRACTS, GOOD

KEPT: dict[str, Any] = {
    "observed": ("every process recorded, the plan was sent, the queue was drained", {}),
    "faults_hit": ("1 strikes hit 1 jobs in flight", {"faults": 1, "hit": 1, "strikes": 1, "jobs_hit": 1}),
    "no_phantoms": ("all 8 jobs seen by workers were enqueued", {"seen": 8, "phantoms": 0}),
    "at_least_once": (
        "all 6 acknowledged jobs were completed (2 of them dead by their own exception)",
        {"acknowledged": 6, "lost": 0, "stuck": 0, "dead": 2},
    ),
    "at_most_once": ("each of 8 jobs was run once", {"ran": 8, "duplicated": 0, "pending": 0}),
    "exactly_once": (
        "all 6 acknowledged jobs were completed (2 of them dead by their own exception); each of 8 jobs was run once",
        {"acknowledged": 6, "lost": 0, "stuck": 0, "dead": 2, "ran": 8, "duplicated": 0, "pending": 0},
    ),
    "exactly_once_effect": ("each of 2 effects was applied once", {"effects": 2, "repeated": 0, "missing": 0}),
    "attempts_bounded": ("no job was executed more than 2 times", {"ran": 8, "over": 0, "most": 2}),
    "backoff": ("1 retries and 0 demands to wait were respected", {"retries": 1, "early": 0, "asked_to_wait": 0, "impatient": 0}),
    "time_limit": ("the longest of 9 executions took 300 ms", {"executions": 9, "over": 0, "past_soft": 0, "longest_ms": 300}),
    "slots_freed": ("after each of 1 time-outs the slot was free again, or not needed", {"timed_out": 1, "not_freed": 0}),
    "rate_limit": ("none of 2 executions came too soon", {"counted": 2, "over": 0, "fullest": 0}),
    "rate_limit of the run": ("none of 9 executions came too soon", {"counted": 9, "over": 0, "fullest": 0}),
    "upstream_rate_limit": ("none of 2 upstream calls came too soon", {"counted": 2, "over": 0, "fullest": 0}),
    "concurrency_limit": ("none of 2 executions was one too many", {"executions": 2, "over": 0, "most": 0}),
    "concurrency_limit of the run": ("none of 9 executions was one too many", {"executions": 9, "over": 0, "most": 0}),
    "lease": ("each of 9 executions was its job's only one at the time", {"executions": 9, "overlaps": 0, "stale": 0}),
    "not_before": ("none of 1 delayed jobs and retries began before its time", {"delayed": 1, "early": 0}),
    "deadline": (
        "all 6 jobs were completed in time, the slowest after 3500 ms",
        {"acknowledged": 6, "late": 0, "never": 0, "slowest_ms": 3500},
    ),
    "schedule_lateness": (
        "all 1 delayed jobs began in time, the latest after 200 ms",
        {"delayed": 1, "late": 0, "never": 0, "latest_ms": 200},
    ),
    "one_run_per_tick": ("each of 2 ticks ran its job once", {"ticks": 2, "twice": 0, "missed": 0, "never_ran": 0}),
    "fifo_per_key": ("all 1 jobs with a key began in order", {"keyed": 1, "overtook": 0}),
    "priority": ("0 inversions among 2 jobs with a priority", {"ranked": 2, "inversions": 0}),
    "starvation": (
        "all 6 jobs began in time; charge: 2100 ms at most; mail: 500 ms at most; poison: 400 ms at most",
        {
            "acknowledged": 6,
            "starved": 0,
            "never": 0,
            "longest_ms[mail]": 500,
            "longest_ms[poison]": 400,
            "longest_ms[charge]": 2100,
        },
    ),
    "dead_letters": (
        "all 2 exhausted jobs are among the dead letters, once",
        {"exhausted": 2, "missing": 0, "twice": 0, "alive": 0, "completed": 0, "unreported": 0, "reported_twice": 0},
    ),
    "failures_visible": ("each of 2 dead jobs left a trace", {"dead": 2, "silent": 0}),
    "poison_contained": (
        "beside 1 poisonous jobs, healthy jobs waited 2100 ms at most, 0 workers were lost",
        {"healthy": 5, "delayed": 0, "poison": 1, "workers_lost": 0, "longest_ms": 2100},
    ),
    "recovery": ("all 1 jobs hit were completed, the slowest after 0.1 s", {"hit": 1, "late": 0, "never": 0, "slowest_ms": 100}),
    "throughput_recovery": (
        "after each of 1 strikes throughput was back within 1 s",
        {"strikes": 1, "low": 0, "median_before": 1},
    ),
    "drain_time": (
        "the queue was drained 1100 ms after the last job was sent",
        {"acknowledged": 6, "late": 0, "never": 0, "drain_ms": 1100},
    ),
    "graceful_stop": ("1 workers stopped in order", {"cut_off": 0, "begun_late": 0, "stops": 1, "overdue": 0}),
    "workers_stay_up": ("none of 1 workers exited unprovoked", {"started": 1, "exits": 0}),
    "resources": ("3 figures of worker processes are within their bounds", {"judged": 3, "over": 0}),
}

BROKEN: dict[str, Any] = {
    "observed": ("holds", "every process recorded, the plan was sent, the queue was drained", {}, []),
    "faults_hit": ("holds", "1 strikes hit 3 jobs in flight", {"faults": 1, "hit": 1, "strikes": 1, "jobs_hit": 3}, []),
    "no_phantoms": (
        "broken",
        "1 jobs reached a worker that nobody enqueued",
        {"seen": 11, "phantoms": 1},
        [(10, None, "no process began to enqueue it")],
    ),
    "at_least_once": (
        "broken",
        "1 of 8 acknowledged jobs were lost; 1 of 8 acknowledged jobs are stuck: the broker holds them, nobody ran them in time",
        {"acknowledged": 8, "lost": 1, "stuck": 1, "dead": 2},
        [(5, None, "stuck: the broker still holds it"), (6, None, "lost: its execution was cut off and never repeated")],
    ),
    "at_most_once": (
        "broken",
        "2 of 11 jobs were run more often than they asked for",
        {"ran": 11, "duplicated": 2, "pending": 0},
        [(4, 75, "ran 3 times, 0 of them retries it asked for"), (0, 67, "ran 2 times, 0 of them retries it asked for")],
    ),
    "exactly_once": (
        "broken",
        "1 of 8 acknowledged jobs were lost; 1 of 8 acknowledged jobs are stuck: the broker holds them, nobody ran them in time; 2 of 11 jobs were run more often than they asked for",
        {"acknowledged": 8, "lost": 1, "stuck": 1, "dead": 2, "ran": 11, "duplicated": 2, "pending": 0},
        [
            (5, None, "stuck: the broker still holds it"),
            (6, None, "lost: its execution was cut off and never repeated"),
            (4, 75, "ran 3 times, 0 of them retries it asked for"),
            (0, 67, "ran 2 times, 0 of them retries it asked for"),
        ],
    ),
    "exactly_once_effect": (
        "broken",
        "2 effects were applied again; 2 jobs took no effect",
        {"effects": 3, "repeated": 2, "missing": 2},
        [
            (1, 47, "applied again, 3 times by then"),
            (1, 44, "applied again, 2 times by then"),
            (0, None, "it took no effect"),
            (5, None, "it took no effect"),
        ],
    ),
    "attempts_bounded": (
        "broken",
        "1 jobs were executed more than 2 times, one of them 3 times",
        {"ran": 11, "over": 1, "most": 3},
        [(4, None, "executed 3 times")],
    ),
    "backoff": (
        "broken",
        "1 of 1 retries came too soon; 1 requests came before the `Retry-After` was over",
        {"retries": 1, "early": 1, "asked_to_wait": 1, "impatient": 1},
        [
            (2, 38, "retry 1 began 200 ms after the failure, not 1000 ms"),
            (1, 49, "asked again 500 ms after it was told to wait 2000 ms"),
        ],
    ),
    "time_limit": (
        "broken",
        "6 of 15 executions went on too long, one for 12800 ms",
        {"executions": 15, "over": 6, "past_soft": 6, "longest_ms": 12800},
        [
            (4, 53, "no end was seen for 12800 ms"),
            (0, 66, "no end was seen for 10000 ms"),
            (6, 33, "no end was seen for 7200 ms"),
            (4, 76, "no end was seen for 6800 ms"),
            (12, 84, "no end was seen for 4300 ms"),
            (0, 67, "went on for 3500 ms"),
        ],
    ),
    "slots_freed": (
        "broken",
        "1 workers began no other job after one had timed out",
        {"timed_out": 1, "not_freed": 1},
        [(7, 71, "after it timed out, its worker began no other job")],
    ),
    "rate_limit": (
        "broken",
        "3 executions within 0.5 s, where 1 are allowed; 2 came too soon",
        {"counted": 5, "over": 2, "fullest": 3},
        [(2, 38, "3 within 0.5 s, where 1 are allowed"), (1, 32, "2 within 0.5 s, where 1 are allowed")],
    ),
    "rate_limit of the run": (
        "broken",
        "5 executions within 1 s, where 3 are allowed; 2 came too soon",
        {"counted": 15, "over": 2, "fullest": 5},
        [(3, 48, "5 within 1 s, where 3 are allowed"), (2, 38, "4 within 1 s, where 3 are allowed")],
    ),
    "upstream_rate_limit": (
        "broken",
        "2 upstream calls within 0.2 s, where 1 are allowed; 1 came too soon",
        {"counted": 3, "over": 1, "fullest": 2},
        [(1, 40, "2 within 0.2 s, where 1 are allowed")],
    ),
    "concurrency_limit": (
        "broken",
        "2 executions at once, where 1 are allowed; 2 began too many",
        {"executions": 5, "over": 2, "most": 2},
        [(1, 32, "2 at once, where 1 are allowed"), (2, 38, "2 at once, where 1 are allowed")],
    ),
    "concurrency_limit of the run": (
        "holds",
        "none of 15 executions was one too many",
        {"executions": 15, "over": 0, "most": 0},
        [],
    ),
    "lease": (
        "broken",
        "1 executions began while their job had a live owner; 1 settlements came from a stale owner",
        {"executions": 15, "overlaps": 1, "stale": 1},
        [
            (4, 76, "began while another execution of the job was under way, for 0 ms at least"),
            (1, 52, "settled by a worker after another had taken the job"),
        ],
    ),
    "not_before": (
        "broken",
        "3 of 4 delayed jobs and retries began before their time",
        {"delayed": 4, "early": 3},
        [
            (2, 38, "its retry began 1800 ms before its delay was over"),
            (4, None, "began 1800 ms before its time"),
            (3, None, "began 1300 ms before its time"),
        ],
    ),
    "deadline": (
        "broken",
        "4 of 8 jobs were not completed within 5 s, 2 never",
        {"acknowledged": 8, "late": 4, "never": 2, "slowest_ms": 8000},
        [
            (5, None, "never completed"),
            (6, None, "never completed"),
            (0, None, "completed after 8000 ms"),
            (7, None, "completed after 5300 ms"),
        ],
    ),
    "schedule_lateness": (
        "broken",
        "1 of 3 delayed jobs did not begin within 0.5 s, 1 never",
        {"delayed": 3, "late": 1, "never": 1, "latest_ms": 0},
        [(5, None, "never began")],
    ),
    "one_run_per_tick": (
        "broken",
        "2 of 5 ticks came twice; 1 of 5 ticks came after others had been missed; 2 of 5 ticks never ran their job",
        {"ticks": 5, "twice": 2, "missed": 1, "never_ran": 2},
        [
            (9, 41, "came 500 ms after the tick before, with a period of 2000 ms"),
            (13, 70, "its tick had come before"),
            (11, 68, "came 3500 ms after the tick before, with a period of 2000 ms"),
            (9, 41, "its job never ran"),
            (13, 70, "its job never ran"),
        ],
    ),
    "fifo_per_key": (
        "broken",
        "2 of 3 jobs overtook one of their key",
        {"keyed": 3, "overtook": 2},
        [
            (2, None, "began 3000 ms before a job of its key that had been enqueued before"),
            (1, None, "began 2900 ms before a job of its key that had been enqueued before"),
        ],
    ),
    "priority": (
        "broken",
        "2 of 3 jobs were taken while a more urgent one waited",
        {"ranked": 3, "inversions": 2},
        [
            (2, None, "began 3000 ms before a more urgent job that was waiting"),
            (1, None, "began 2900 ms before a more urgent job that was waiting"),
        ],
    ),
    "starvation": (
        "broken",
        "3 of 8 jobs waited too long, 1 for ever; mail: 5100 ms at most; charge: 800 ms at most; poison: 300 ms at most",
        {
            "acknowledged": 8,
            "starved": 3,
            "never": 1,
            "longest_ms[mail]": 5100,
            "longest_ms[charge]": 800,
            "longest_ms[poison]": 300,
        },
        [(5, None, "never began"), (7, None, "waited 5100 ms"), (0, None, "waited 4000 ms")],
    ),
    "dead_letters": (
        "broken",
        "of 2 exhausted jobs, or beside them: 1 are not among the dead letters; 1 are there more than once; 1 are there and were never given up; 1 were never reported; 1 were reported more than once",
        {"exhausted": 2, "missing": 1, "twice": 1, "alive": 1, "completed": 0, "unreported": 1, "reported_twice": 1},
        [
            (2, None, "given up, and not among the dead letters"),
            (7, None, "more than once among the dead letters"),
            (0, None, "among the dead letters, though it was never given up"),
            (7, None, "given up, and never reported"),
            (2, None, "reported more than once"),
        ],
    ),
    "failures_visible": (
        "broken",
        "1 of 2 dead jobs left no trace that a person would see",
        {"dead": 2, "silent": 1},
        [(7, None, "given up, and nobody was told")],
    ),
    "poison_contained": (
        "broken",
        "3 of 7 healthy jobs waited too long; 2 workers were lost, where 0 are allowed",
        {"healthy": 7, "delayed": 3, "poison": 1, "workers_lost": 2, "longest_ms": 5100},
        [
            (5, None, "healthy, and never began"),
            (7, None, "healthy, and waited 5100 ms"),
            (0, None, "healthy, and waited 4000 ms"),
            (None, 78, "a worker was lost, with code 1"),
            (None, 85, "a worker was lost, with code -9"),
        ],
    ),
    "recovery": (
        "broken",
        "2 of 3 jobs hit were not completed within 3 s, 0 never",
        {"hit": 3, "late": 2, "never": 0, "slowest_ms": 5300},
        [(4, 61, "completed 5300 ms after the fault hit it"), (7, 63, "completed 3200 ms after the fault hit it")],
    ),
    "throughput_recovery": (
        "unknown",
        "there were less than 3 whole seconds of traffic before the first fault",
        {"strikes": 1, "low": 0},
        [],
    ),
    "drain_time": (
        "broken",
        "4 jobs were not completed 6 s after the last was sent, 2 never",
        {"acknowledged": 8, "late": 4, "never": 2, "drain_ms": 7300},
        [
            (5, None, "never completed"),
            (6, None, "never completed"),
            (4, None, "completed 7300 ms after the last job was sent"),
            (0, None, "completed 7000 ms after the last job was sent"),
        ],
    ),
    "graceful_stop": (
        "broken",
        "2 executions were cut off; 1 workers did not exit by themselves in time; 2 executions began after their worker was asked to stop",
        {"cut_off": 2, "begun_late": 2, "stops": 1, "overdue": 1},
        [
            (0, 66, "cut off when its worker stopped"),
            (12, 84, "cut off when its worker stopped"),
            (None, 79, "the worker exited after 5400 ms"),
            (11, 82, "begun after its worker was asked to stop"),
            (12, 84, "begun after its worker was asked to stop"),
        ],
    ),
    "workers_stay_up": (
        "broken",
        "2 workers exited, though no fault ended them",
        {"started": 1, "exits": 2},
        [(None, 78, "exited by itself with code 1"), (None, 85, "exited by itself with code -9")],
    ),
    "resources": (
        "broken",
        "4 of 4 figures of worker processes are beyond their bound",
        {"judged": 4, "over": 4},
        [
            (None, 57, "worker-1: 4500 descriptors per 1,000 jobs, more than 10"),
            (None, 64, "worker-1: 2.5e+05 bytes per 1,000 jobs, more than 1000"),
            (None, 58, "worker-1: 4 s of processor time per job, more than 0.5"),
            (None, 64, "worker-1: 0.9 of its memory limit, more than 0.85"),
        ],
    ),
}


@pytest.mark.parametrize("name", CONTRACTS)
def test_a_promise_that_is_kept_says_what_was_judged(name):
    finding = CONTRACTS[name].check(history(GOOD))
    assert (finding.contract, finding.word) == (CONTRACTS[name].name, Word.HOLDS)
    assert (finding.sentence, dict(finding.counts)) == KEPT[name]
    assert not finding.offenders.height


@pytest.mark.parametrize("name", CONTRACTS)
def test_a_promise_that_is_broken_names_its_offenders_the_worst_first(name):
    finding = CONTRACTS[name].check(history(BAD))
    offenders = list(finding.offenders.iter_rows())
    assert (str(finding.word), finding.sentence, dict(finding.counts), offenders) == BROKEN[name]
    assert finding.contract == CONTRACTS[name].name


class _Crashing:
    name, promise, needs = "crashing", "it never crashes", frozenset[Any]()

    def check(self, seen: Any) -> Finding:
        raise ZeroDivisionError("of nothing")


def test_the_gravest_comes_first_and_a_contract_that_crashes_is_unknown():
    verdict = judge(history(BAD), [CONTRACTS["observed"], _Crashing(), CONTRACTS["lease"]])
    assert [(finding.contract, finding.word) for finding in verdict.findings] == [
        ("lease", Word.BROKEN),
        ("crashing", Word.UNKNOWN),
        ("observed", Word.HOLDS),
    ]
    assert verdict.word is Word.BROKEN
    crashed = verdict["crashing"]
    assert crashed.sentence.startswith("the contract itself crashed; please report it:\nTraceback")
    assert crashed.sentence.rstrip().endswith("ZeroDivisionError: of nothing")
    assert [finding.promise for finding in verdict.findings] == [
        CONTRACTS["lease"].promise,
        "it never crashes",
        CONTRACTS["observed"].promise,
    ]
    with pytest.raises(KeyError, match="nothing_such"):
        verdict["nothing_such"]


def test_words_are_said_in_small_letters_and_no_finding_is_no_verdict():
    assert [str(word) for word in Word] == ["broken", "unknown", "vacuous", "holds"]
    assert judge(history(""), []).word is Word.UNKNOWN


def test_jobs_that_offend_are_named_once():
    assert CONTRACTS["exactly_once"].check(history(BAD)).jobs == [5, 6, 4, 0]
