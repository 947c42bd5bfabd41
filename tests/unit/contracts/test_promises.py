"""Each contract on a history written by hand: the whole expected finding."""

from __future__ import annotations

from functools import partial

import pytest

from jobharness.contracts.at_least_once import AtLeastOnce
from jobharness.contracts.at_most_once import AtMostOnce
from jobharness.contracts.attempts_bounded import AttemptsBounded
from jobharness.contracts.backoff import Backoff
from jobharness.contracts.concurrency_limit import ConcurrencyLimit
from jobharness.contracts.contract import Word
from jobharness.contracts.dead_letters import DeadLetters
from jobharness.contracts.deadline import Deadline
from jobharness.contracts.drain_time import DrainTime
from jobharness.contracts.exactly_once_effect import ExactlyOnceEffect
from jobharness.contracts.failures_visible import FailuresVisible
from jobharness.contracts.faults_hit import FaultsHit
from jobharness.contracts.fifo_per_key import FifoPerKey
from jobharness.contracts.graceful_stop import GracefulStop
from jobharness.contracts.lease import Lease
from jobharness.contracts.no_phantoms import NoPhantoms
from jobharness.contracts.not_before import NotBefore
from jobharness.contracts.observed import Observed
from jobharness.contracts.one_run_per_tick import OneRunPerTick
from jobharness.contracts.poison_contained import PoisonContained
from jobharness.contracts.priority import Priority
from jobharness.contracts.rate_limit import RateLimit
from jobharness.contracts.recovery import Recovery
from jobharness.contracts.resources import Resources
from jobharness.contracts.schedule_lateness import ScheduleLateness
from jobharness.contracts.slots_freed import SlotsFreed
from jobharness.contracts.starvation import Starvation
from jobharness.contracts.time_limit import TimeLimit
from jobharness.contracts.workers_stay_up import WorkersStayUp
from tests.histories import history

CASES = {
    "lost_and_stuck": (
        AtLeastOnce(),
        partial(
            history,
            """
            0.0 producer enqueue.begin a
            0.1 producer enqueue.acknowledged a
            0.2 producer enqueue.acknowledged b
            0.3 producer enqueue.acknowledged c
            0.4 producer enqueue.unknown d
            1.0 worker-1 job.received a
            1.1 worker-1 job.running a
            1.2 worker-1 job.running b
            1.3 worker-1 job.failed b
            1.3 worker-1 job.dead b value=raised
            9.0 harness job.held c text="waiting in the list"
        """,
        ),
        Word.BROKEN,
        "1 of 3 acknowledged jobs were lost; 1 of 3 acknowledged jobs are stuck: the broker holds them, nobody ran them in time",
        {"acknowledged": 3, "lost": 1, "stuck": 1, "dead": 1},
        [(0, None, "lost: its execution was cut off and never repeated"), (2, None, "stuck: the broker still holds it")],
    ),
    "worker_lost": (
        AtLeastOnce(),
        partial(
            history,
            """
            0.1 producer enqueue.acknowledged a
            1.1 worker-1 job.running a
            1.2 worker-1 job.dead a value=worker_lost
        """,
        ),
        Word.BROKEN,
        "1 of 1 acknowledged jobs were lost",
        {"acknowledged": 1, "lost": 1, "stuck": 0, "dead": 0},
        [(0, None, "lost: given up because its worker died")],
    ),
    "torn": (
        AtLeastOnce(),
        partial(
            history,
            """
            0.1 producer enqueue.acknowledged a
            1.1 worker-1 job.running a
        """,
            torn=1,
        ),
        Word.UNKNOWN,
        "1 of 1 acknowledged jobs were lost, but as many records were torn by a kill",
        {"acknowledged": 1, "lost": 1, "stuck": 0, "dead": 0},
        [(0, None, "lost: its execution was cut off and never repeated")],
    ),
    "completed": (
        AtLeastOnce(),
        partial(
            history,
            """
            0.1 producer enqueue.acknowledged a
            1.1 worker-1 job.running a
            1.2 worker-1 job.finished a
        """,
        ),
        Word.HOLDS,
        "all 1 acknowledged jobs were completed",
        {"acknowledged": 1, "lost": 0, "stuck": 0, "dead": 0},
        [],
    ),
    "again_without_a_retry": (
        AtMostOnce(),
        partial(
            history,
            """
            1.0 worker-1 job.running a
            2.0 worker-2 job.running a
            2.1 worker-2 job.failed a
            2.1 worker-2 job.retried a value=1s
            4.0 worker-2 job.running b
            4.1 worker-2 job.retried b
            4.1 worker-1 job.running b
        """,
        ),
        Word.BROKEN,
        "1 of 2 jobs were run more often than they asked for",
        {"ran": 2, "duplicated": 1, "pending": 0},
        [(0, 1, "ran 2 times, 1 of them retries it asked for")],
    ),
    "may_run_again": (
        AtMostOnce(),
        partial(
            history,
            """
            1.0 worker-1 job.running a
            1.1 worker-1 job.finished a
            2.0 harness job.held a
        """,
        ),
        Word.UNKNOWN,
        "no job was run twice, but the broker still holds 1 that were run, and may deliver them again",
        {"ran": 1, "duplicated": 0, "pending": 1},
        [],
    ),
    "effect_twice_and_never": (
        ExactlyOnceEffect(("mail",)),
        partial(
            history,
            """
            0.0 producer enqueue.begin a task=mail
            0.1 producer enqueue.acknowledged a
            0.1 producer enqueue.begin b task=mail
            0.1 producer enqueue.acknowledged b
            1.0 upstream effect.applied a task="POST /" text=order-1
            1.1 upstream effect.applied a task="POST /" text=order-2
            1.2 upstream effect.applied a task="POST /" text=order-1
            2.0 worker-1 job.running b
            2.1 worker-1 job.finished b
        """,
        ),
        Word.BROKEN,
        "1 effects were applied again; 1 jobs took no effect",
        {"effects": 3, "repeated": 1, "missing": 1},
        [(0, 6, "applied again, 2 times by then"), (1, None, "it took no effect")],
    ),
    "phantom": (
        NoPhantoms(),
        partial(
            history,
            """
            0.0 producer enqueue.begin a
            1.0 worker-1 job.running a
            1.1 worker-1 job.received b
        """,
        ),
        Word.BROKEN,
        "1 jobs reached a worker that nobody enqueued",
        {"seen": 2, "phantoms": 1},
        [(1, None, "no process began to enqueue it")],
    ),
    "too_often": (
        AttemptsBounded(2),
        partial(
            history,
            """
            1.0 worker-1 job.running a
            1.1 worker-1 job.running a
            1.2 worker-1 job.running a
            1.3 worker-1 job.running b
        """,
        ),
        Word.BROKEN,
        "1 jobs were executed more than 2 times, one of them 3 times",
        {"ran": 2, "over": 1, "most": 3},
        [(0, None, "executed 3 times")],
    ),
    "too_soon": (
        Backoff(1.0, factor=2.0),
        partial(
            history,
            """
            1.0 worker-1 job.running a
            1.1 worker-1 job.failed a
            2.1 worker-1 job.running a
            2.2 worker-1 job.failed a
            3.3 worker-1 job.running a
            5.0 upstream upstream.request a task=GET
            5.1 upstream upstream.retry_after a task=GET value=2s
            6.0 upstream upstream.request a task=GET
        """,
        ),
        Word.BROKEN,
        "1 of 2 retries came too soon; 1 requests came before the `Retry-After` was over",
        {"retries": 2, "early": 1, "asked_to_wait": 1, "impatient": 1},
        [
            (0, 7, "asked again 900 ms after it was told to wait 2000 ms"),
            (0, 4, "retry 2 began 1100 ms after the failure, not 2000 ms"),
        ],
    ),
    "no_end": (
        TimeLimit(hard_s=1.0, grace_s=0.5),
        partial(
            history,
            """
            1.0 worker-1 job.running a
            3.0 worker-1 job.finished a
            3.0 worker-1 job.running b
            3.1 worker-1 job.running c
            3.2 harness fault.hit c value=1000
            9.0 harness worker.exited - text=worker-1
        """,
        ),
        Word.BROKEN,
        "2 of 3 executions went on too long, one for 6000 ms",
        {"executions": 3, "over": 2, "past_soft": 0, "longest_ms": 6000},
        [(1, 2, "no end was seen for 6000 ms"), (0, 0, "went on for 2000 ms")],
    ),
    "slot": (
        SlotsFreed(1.0),
        partial(
            history,
            """
            1.0 worker-1 job.running a
            2.0 worker-1 job.timed_out a
            3.0 worker-2 job.running b
            4.0 worker-2 job.running c
        """,
        ),
        Word.BROKEN,
        "1 workers began no other job after one had timed out",
        {"timed_out": 1, "not_freed": 1},
        [(0, 0, "after it timed out, its worker began no other job")],
    ),
    "window": (
        RateLimit(2, 1.0),
        partial(
            history,
            """
            1.0 worker-1 job.running a
            1.5 worker-1 job.running b
            2.0 worker-1 job.running c
            2.4 worker-2 job.running d
        """,
        ),
        Word.BROKEN,
        "3 executions within 1 s, where 2 are allowed; 1 came too soon",
        {"counted": 4, "over": 1, "fullest": 3},
        [(3, 3, "3 within 1 s, where 2 are allowed")],
    ),
    "by_key": (
        RateLimit(1, 1.0, "key"),
        partial(
            history,
            """
            0.0 producer enqueue.begin a group=k
            0.0 producer enqueue.begin b group=k
            0.0 producer enqueue.begin c
            1.0 worker-1 job.running a
            1.1 worker-1 job.running b
            1.1 worker-1 job.running c
        """,
        ),
        Word.BROKEN,
        "2 executions within 1 s, where 1 are allowed; 1 came too soon",
        {"counted": 2, "over": 1, "fullest": 2},
        [(1, 4, "2 within 1 s, where 1 are allowed")],
    ),
    "overlap": (
        ConcurrencyLimit(1),
        partial(
            history,
            """
            1.0 worker-1 job.running a
            2.0 worker-1 job.finished a
            2.0 worker-2 job.running b
            2.5 worker-1 job.running c
            3.0 worker-2 job.finished b
        """,
        ),
        Word.BROKEN,
        "2 executions at once, where 1 are allowed; 1 began too many",
        {"executions": 3, "over": 1, "most": 2},
        [(2, 3, "2 at once, where 1 are allowed")],
    ),
    "owners": (
        Lease(),
        partial(
            history,
            """
            1.0 worker-1 job.received a
            1.0 worker-1 job.running a
            2.0 worker-2 job.received a
            2.0 worker-2 job.running a
            3.0 worker-1 job.finished a
            3.0 worker-1 job.settled a
            3.5 worker-2 job.finished a
            3.5 worker-2 job.settled a
        """,
        ),
        Word.BROKEN,
        "1 executions began while their job had a live owner; 1 settlements came from a stale owner",
        {"executions": 2, "overlaps": 1, "stale": 1},
        [
            (0, 3, "began while another execution of the job was under way, for 1000 ms at least"),
            (0, 5, "settled by a worker after another had taken the job"),
        ],
    ),
    "early": (
        NotBefore(),
        partial(
            history,
            """
            0.0 producer enqueue.not_before a value=2s
            1.5 worker-1 job.running a
            2.0 worker-1 job.retried a value=1s
            2.9 worker-1 job.running a
        """,
        ),
        Word.BROKEN,
        "2 of 2 delayed jobs and retries began before their time",
        {"delayed": 2, "early": 2},
        [(0, None, "began 500 ms before its time"), (0, 3, "its retry began 100 ms before its delay was over")],
    ),
    "deadline": (
        Deadline(1.0),
        partial(
            history,
            """
            0.0 producer enqueue.begin a
            0.0 producer enqueue.acknowledged a
            0.0 producer enqueue.begin b
            0.0 producer enqueue.acknowledged b
            0.0 producer enqueue.begin c
            0.0 producer enqueue.not_before c value=5s
            0.0 producer enqueue.acknowledged c
            2.0 worker-1 job.finished a
            5.5 worker-1 job.finished c
        """,
        ),
        Word.BROKEN,
        "2 of 3 jobs were not completed within 1 s, 1 never",
        {"acknowledged": 3, "late": 2, "never": 1, "slowest_ms": 2000},
        [(1, None, "never completed"), (0, None, "completed after 2000 ms")],
    ),
    "schedule": (
        ScheduleLateness(1.0),
        partial(
            history,
            """
            0.0 producer enqueue.not_before a value=2s
            0.0 producer enqueue.acknowledged a
            3.5 worker-1 job.running a
        """,
        ),
        Word.BROKEN,
        "1 of 1 delayed jobs did not begin within 1 s, 0 never",
        {"delayed": 1, "late": 1, "never": 0, "latest_ms": 1500},
        [(0, None, "began 1500 ms after its time")],
    ),
    "ticks": (
        OneRunPerTick(),
        partial(
            history,
            """
            0.0 scheduler schedule.tick a value=10s text=nightly
            0.0 worker-1 job.running a
            0.1 scheduler-2 schedule.tick b value=10s text=nightly
            0.2 worker-1 job.running b
            30.0 scheduler schedule.tick c value=10s text=nightly
            31.0 scheduler schedule.tick d value=60s text=hourly group=11:00
            31.1 worker-1 job.running c
            31.1 worker-1 job.running d
        """,
        ),
        Word.BROKEN,
        "1 of 4 ticks came twice; 1 of 4 ticks came after others had been missed",
        {"ticks": 4, "twice": 1, "missed": 1, "never_ran": 0},
        [
            (1, 2, "came 100 ms after the tick before, with a period of 10000 ms"),
            (2, 4, "came 29900 ms after the tick before, with a period of 10000 ms"),
        ],
    ),
    "fifo": (
        FifoPerKey(),
        partial(
            history,
            """
            0.0 producer enqueue.begin a group=k
            0.1 producer enqueue.acknowledged a
            0.2 producer enqueue.begin b group=k
            0.3 producer enqueue.acknowledged b
            1.0 worker-1 job.running b
            1.5 worker-2 job.running a
        """,
        ),
        Word.BROKEN,
        "1 of 2 jobs overtook one of their key",
        {"keyed": 2, "overtook": 1},
        [(1, None, "began 500 ms before a job of its key that had been enqueued before")],
    ),
    "priority": (
        Priority(),
        partial(
            history,
            """
            0.0 producer enqueue.priority a value=1
            0.0 producer enqueue.acknowledged a
            0.0 producer enqueue.priority b value=9
            0.0 producer enqueue.acknowledged b
            1.0 worker-1 job.running b
            1.5 worker-1 job.running a
        """,
        ),
        Word.BROKEN,
        "1 of 2 jobs were taken while a more urgent one waited",
        {"ranked": 2, "inversions": 1},
        [(1, None, "began 500 ms before a more urgent job that was waiting")],
    ),
    "starved": (
        Starvation(1.0),
        partial(
            history,
            """
            0.0 producer enqueue.begin a task=mail
            0.0 producer enqueue.acknowledged a
            0.0 producer enqueue.begin b task=charge
            0.0 producer enqueue.acknowledged b
            0.5 worker-1 job.running b
            1.5 worker-1 job.running a
        """,
        ),
        Word.BROKEN,
        "1 of 2 jobs waited too long, 0 for ever; mail: 1500 ms at most; charge: 500 ms at most",
        {"acknowledged": 2, "starved": 1, "never": 0, "longest_ms[mail]": 1500, "longest_ms[charge]": 500},
        [(0, None, "waited 1500 ms")],
    ),
    "letters": (
        DeadLetters(reported=True),
        partial(
            history,
            """
            1.0 worker-1 job.dead a value=raised
            1.0 worker-1 job.dead b value=raised
            1.0 worker-1 job.dead c value=timed_out
            2.0 harness job.buried b
            2.0 harness job.buried b
            2.0 harness job.buried c
            2.0 harness job.buried d
            3.0 harness failure.reported b
            3.0 harness failure.reported a
        """,
        ),
        Word.BROKEN,
        "of 3 exhausted jobs, or beside them: 1 are not among the dead letters; 1 are there more than once; 1 are there and were never given up; 1 were never reported",
        {"exhausted": 3, "missing": 1, "twice": 1, "alive": 1, "completed": 0, "unreported": 1, "reported_twice": 0},
        [
            (0, None, "given up, and not among the dead letters"),
            (1, None, "more than once among the dead letters"),
            (3, None, "among the dead letters, though it was never given up"),
            (2, None, "given up, and never reported"),
        ],
    ),
    "silent": (
        FailuresVisible(),
        partial(
            history,
            """
            1.0 worker-1 job.dead a value=raised
            1.0 worker-1 job.dead b value=raised
            2.0 harness failure.logged b
        """,
        ),
        Word.BROKEN,
        "1 of 2 dead jobs left no trace that a person would see",
        {"dead": 2, "silent": 1},
        [(0, None, "given up, and nobody was told")],
    ),
    "poison": (
        PoisonContained(("bad",), 1.0),
        partial(
            history,
            """
            0.0 producer enqueue.begin a task=mail
            0.0 producer enqueue.acknowledged a
            0.0 harness worker.started - text=worker-1 value=7
            0.1 worker-1/7 job.running p task=bad
            0.2 harness worker.exited - text=worker-1 value=-9
            2.0 worker-2 job.running a
        """,
        ),
        Word.BROKEN,
        "1 of 1 healthy jobs waited too long; 1 workers were lost, where 0 are allowed",
        {"healthy": 1, "delayed": 1, "poison": 1, "workers_lost": 1, "longest_ms": 2000},
        [(0, None, "healthy, and waited 2000 ms"), (None, 4, "a worker was lost, with code -9")],
    ),
    "recovered_late": (
        Recovery(1.0),
        partial(
            history,
            """
            1.0 worker-1 job.running a
            1.0 worker-1 job.running b
            1.0 worker-1 job.running c
            1.1 worker-1 job.finished c
            2.0 harness fault.begin - text=kill
            2.0 harness fault.hit a value=7
            2.0 harness fault.hit b value=7
            2.0 harness fault.hit c value=7
            5.0 worker-2 job.finished a
        """,
        ),
        Word.BROKEN,
        "2 of 3 jobs hit were not completed within 1 s, 1 never",
        {"hit": 3, "late": 2, "never": 1, "slowest_ms": 3000},
        [(1, 6, "never completed after the fault hit it"), (0, 5, "completed 3000 ms after the fault hit it")],
    ),
    "recovery of an enqueue that the fault prevented": (
        Recovery(1.0),
        partial(
            history,
            """
            1.0 producer enqueue.begin a
            1.0 producer enqueue.begin b
            1.0 producer enqueue.acknowledged b
            1.1 harness fault.hit a value=7
            1.1 harness fault.hit b value=7
            1.2 producer enqueue.unknown a text=OperationalError
            2.0 worker-1 job.running b
            2.0 worker-1 job.finished b
        """,
        ),
        Word.HOLDS,
        "all 1 jobs hit were completed, the slowest after 0.9 s",
        {"hit": 1, "late": 0, "never": 0, "slowest_ms": 900},
        [],
    ),
    "no_fault": (
        Recovery(1.0),
        partial(
            history,
            """
            1.0 worker-1 job.running a
        """,
        ),
        Word.VACUOUS,
        "no fault hit a job in flight",
        {"hit": 0},
        [],
    ),
    "drain": (
        DrainTime(1.0),
        partial(
            history,
            """
            0.0 producer enqueue.acknowledged a
            1.0 producer producer.done - value=1
            3.0 worker-1 job.finished a
        """,
        ),
        Word.BROKEN,
        "1 jobs were not completed 1 s after the last was sent, 0 never",
        {"acknowledged": 1, "late": 1, "never": 0, "drain_ms": 2000},
        [(0, None, "completed 2000 ms after the last job was sent")],
    ),
    "stop": (
        GracefulStop(2.0, settle_s=0.5),
        partial(
            history,
            """
            1.0 worker-1 job.running a
            1.0 worker-1 job.running b
            1.0 worker-1 job.running c
            2.0 worker-1 worker.stopping -
            2.1 worker-1 job.finished a
            2.2 worker-1 job.rejected b value=1
            3.0 worker-1 job.running d
            3.1 worker-1 job.finished d
            5.0 harness worker.exited - text=worker-1 value=0
        """,
        ),
        Word.BROKEN,
        "1 executions were cut off; 1 workers did not exit by themselves in time; 1 executions began after their worker was asked to stop",
        {"cut_off": 1, "begun_late": 1, "stops": 1, "overdue": 1},
        [
            (2, 2, "cut off when its worker stopped"),
            (None, 3, "the worker exited after 3000 ms"),
            (3, 6, "begun after its worker was asked to stop"),
        ],
    ),
    "exit": (
        WorkersStayUp(),
        partial(
            history,
            """
            0.0 harness worker.started - text=worker-1 value=7
            1.0 harness fault.hit - value=7
            1.1 harness worker.exited - text=worker-1 value=-9
            1.2 harness worker.started - text=worker-1 value=8
            2.0 harness worker.exited - text=worker-1 value=1
            3.0 harness run.phase - text=stop
            4.0 harness worker.exited - text=worker-2 value=0
        """,
        ),
        Word.BROKEN,
        "1 workers exited, though no fault ended them",
        {"started": 2, "exits": 1},
        [(None, 4, "exited by itself with code 1")],
    ),
    "resources": (
        Resources(memory_share=0.85),
        partial(
            history,
            """
            1.0 harness resource.memory_limit - text=worker-1 group=7 value=100
            1.0 harness resource.memory - text=worker-1 group=7 value=80
            2.0 harness resource.memory - text=worker-1 group=7 value=90
        """,
        ),
        Word.BROKEN,
        "1 of 1 figures of worker processes are beyond their bound",
        {"judged": 1, "over": 1},
        [(None, 2, "worker-1: 0.9 of its memory limit, more than 0.85")],
    ),
    "cut_short": (
        AtMostOnce(),
        partial(
            history,
            """
            1.0 worker-1 job.running a
            2.0 harness run.cut_short - text=interrupted
        """,
        ),
        Word.UNKNOWN,
        "the run was cut short before the queue had drained",
        {"ran": 1, "duplicated": 0, "pending": 0},
        [],
    ),
    "observed": (
        Observed(),
        partial(
            history,
            """
            1.0 worker-1 worker.ready -
            2.0 harness run.cut_short - text=interrupted
        """,
            failed=["worker-2"],
        ),
        Word.UNKNOWN,
        "could not record all events: worker-2 (1002); the producer did not send its whole plan; cut short: interrupted",
        {"reasons": 3},
        [],
    ),
    "observed of a producer that vanished": (
        Observed(),
        partial(
            history,
            """
            1.0 worker-1 worker.ready -
            1.0 producer-1 producer.ready -
            1.0 producer-2 producer.ready -
            2.0 producer-1 producer.done -
        """,
        ),
        Word.UNKNOWN,
        "producer-2 vanished before it had sent its share of the plan: of the jobs that were not acknowledged nothing is known",
        {"reasons": 1},
        [],
    ),
    "faults_hit of a producer at its work": (
        FaultsHit(("kill", "pause")),
        partial(
            history,
            """
            1.0 harness fault.begin - text=kill
            1.0 harness fault.hit - text=kill group=at-work
            2.0 worker-1 job.running a
            3.0 harness fault.begin - text=pause
            3.0 harness fault.hit a text=pause
        """,
        ),
        Word.HOLDS,
        "2 strikes hit 1 jobs in flight",
        {"faults": 2, "hit": 2, "strikes": 2, "jobs_hit": 1},
        [],
    ),
    "vacuous": (
        FaultsHit(("kill", "pause")),
        partial(
            history,
            """
            1.0 harness fault.begin - text=kill
            1.0 harness fault.hit - text=kill
        """,
        ),
        Word.VACUOUS,
        "kill struck while no job was in flight; pause never fired",
        {"faults": 2, "hit": 0, "strikes": 1, "jobs_hit": 0},
        [],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_whole_finding_is_as_expected(name):
    contract, seen, word, sentence, counts, offenders = CASES[name]
    finding = contract.check(seen())
    assert (finding.contract, finding.word, finding.sentence, dict(finding.counts)) == (contract.name, word, sentence, counts)
    assert list(finding.offenders.iter_rows()) == offenders


@pytest.mark.parametrize("contract", {type(case[0]): case[0] for case in CASES.values()}.values(), ids=lambda one: one.name)
def test_an_empty_history_never_holds(contract):
    finding = contract.check(history(""))
    assert finding.word in (Word.UNKNOWN, Word.VACUOUS)
    assert not finding.offenders.height


@pytest.mark.parametrize("name", CASES)
def test_a_run_that_could_not_see_never_holds(name):
    contract, _, *_ = CASES[name]
    blind = history("1.0 worker-1 job.running a", failed=["worker-1"])
    assert contract.check(blind).word is not Word.HOLDS
