"""Every contract agrees with its slow, obvious twin on histories with crashes, unknown enqueues, clock ties, doubled and missing records."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobharness.contracts.at_least_once import AtLeastOnce
from jobharness.contracts.at_most_once import AtMostOnce
from jobharness.contracts.attempts_bounded import AttemptsBounded
from jobharness.contracts.backoff import Backoff
from jobharness.contracts.concurrency_limit import ConcurrencyLimit
from jobharness.contracts.contract import Contract
from jobharness.contracts.dead_letters import DeadLetters
from jobharness.contracts.deadline import Deadline
from jobharness.contracts.drain_time import DrainTime
from jobharness.contracts.exactly_once import ExactlyOnce
from jobharness.contracts.exactly_once_effect import ExactlyOnceEffect
from jobharness.contracts.failures_visible import FailuresVisible
from jobharness.contracts.fifo_per_key import FifoPerKey
from jobharness.contracts.graceful_stop import GracefulStop
from jobharness.contracts.lease import Lease
from jobharness.contracts.no_link_lost import NoLinkLost
from jobharness.contracts.no_phantoms import NoPhantoms
from jobharness.contracts.not_before import NotBefore
from jobharness.contracts.once_per_delivery import OncePerDelivery
from jobharness.contracts.one_run_per_tick import OneRunPerTick
from jobharness.contracts.poison_contained import PoisonContained
from jobharness.contracts.priority import Priority
from jobharness.contracts.rate_limit import RateLimit, UpstreamRateLimit
from jobharness.contracts.recovery import Recovery
from jobharness.contracts.resources import Resources
from jobharness.contracts.schedule_lateness import ScheduleLateness
from jobharness.contracts.slots_freed import SlotsFreed
from jobharness.contracts.starvation import Starvation
from jobharness.contracts.throughput_recovery import ThroughputRecovery
from jobharness.contracts.time_limit import TimeLimit
from jobharness.contracts.workers_stay_up import WorkersStayUp
from jobharness.history.event import Kind
from jobharness.history.frame import History
from tests.oracles import delivery, limits, timing, workers
from tests.oracles.generated import chains, deliveries, histories, samples, stops, ticks, traffic, upstream_calls
from tests.oracles.plain import Answer, Plain, plain, word_of
from tests.support.examples import examples

S = 1_000_000_000
EXAMPLES = examples(int(os.environ.get("ORACLE_EXAMPLES", "30")))  # `make proof-of-contracts` takes many more.
Case = tuple[Contract, Callable[[Plain], Answer]]
seconds = st.sampled_from((0.0, 0.2, 0.5, 1.0, 2.0))
few = st.integers(1, 3)
per = st.sampled_from(("run", "task", "key"))
some_tasks = st.sampled_from(((), ("shop.charge",), ("shop.charge", "shop.poison")))


def _ns(value: float) -> int:
    return round(value * S)


CASES: dict[str, st.SearchStrategy[Case]] = {
    "at_least_once": st.just((AtLeastOnce(), delivery.at_least_once)),
    "at_most_once": st.just((AtMostOnce(), delivery.at_most_once)),
    "exactly_once_effect": some_tasks.map(lambda t: (ExactlyOnceEffect(t), lambda run: delivery.exactly_once_effect(run, t))),
    "no_link_lost": st.just((NoLinkLost(), delivery.no_link_lost)),
    "once_per_delivery": st.just((OncePerDelivery(), delivery.once_per_delivery)),
    "no_phantoms": st.just((NoPhantoms(), delivery.no_phantoms)),
    "attempts_bounded": few.map(lambda n: (AttemptsBounded(n), lambda run: delivery.attempts_bounded(run, n))),
    "lease": st.just((Lease(), delivery.lease)),
    "recovery": seconds.map(lambda s: (Recovery(s), lambda run: delivery.recovery(run, _ns(s)))),
    "dead_letters": st.booleans().map(lambda r: (DeadLetters(r), lambda run: delivery.dead_letters(run, r))),
    "failures_visible": st.just((FailuresVisible(), delivery.failures_visible)),
    "backoff": st.tuples(seconds, st.sampled_from((1.0, 2.0)), seconds, st.sampled_from((0.0, 0.5))).map(
        lambda v: (Backoff(*v), lambda run: timing.backoff(run, _ns(v[0]), v[1], _ns(v[2]), v[3]))
    ),
    "time_limit": st.tuples(seconds, seconds, some_tasks).map(
        lambda v: (TimeLimit(None, *v), lambda run: timing.time_limit(run, _ns(v[0]), _ns(v[1]), v[2]))
    ),
    "not_before": seconds.map(lambda s: (NotBefore(s), lambda run: timing.not_before(run, _ns(s)))),
    "deadline": seconds.map(lambda s: (Deadline(s), lambda run: timing.deadline(run, _ns(s)))),
    "starvation": seconds.map(lambda s: (Starvation(s), lambda run: timing.starvation(run, _ns(s)))),
    "schedule_lateness": seconds.map(lambda s: (ScheduleLateness(s), lambda run: timing.schedule_lateness(run, _ns(s)))),
    "one_run_per_tick": st.just((OneRunPerTick(), timing.one_run_per_tick)),
    "drain_time": seconds.map(lambda s: (DrainTime(s), lambda run: timing.drain_time(run, _ns(s)))),
    "throughput_recovery": st.tuples(seconds, st.sampled_from((0.5, 1.0))).map(
        lambda v: (ThroughputRecovery(*v), lambda run: timing.throughput_recovery(run, _ns(v[0]), v[1]))
    ),
    "rate_limit": st.tuples(few, seconds, per).map(
        lambda v: (RateLimit(*v), lambda run: limits.rate_limit(run, Kind.JOB_RUNNING, v[0], _ns(v[1]), v[2]))
    ),
    "upstream_rate_limit": st.tuples(few, seconds, per).map(
        lambda v: (UpstreamRateLimit(*v), lambda run: limits.rate_limit(run, Kind.UPSTREAM_REQUEST, v[0], _ns(v[1]), v[2]))
    ),
    "concurrency_limit": st.tuples(few, per).map(lambda v: (ConcurrencyLimit(*v), lambda run: limits.concurrency_limit(run, *v))),
    "fifo_per_key": st.just((FifoPerKey(), limits.fifo_per_key)),
    "priority": st.sampled_from((0.0, 0.4)).map(lambda a: (Priority(a), lambda run: limits.priority(run, a))),
    "workers_stay_up": st.integers(0, 1).map(lambda n: (WorkersStayUp(n), lambda run: workers.workers_stay_up(run, n))),
    "poison_contained": st.tuples(seconds, st.integers(0, 1)).map(
        lambda v: (
            PoisonContained(("shop.poison",), *v),
            lambda run: workers.poison_contained(run, ("shop.poison",), _ns(v[0]), v[1]),
        )
    ),
    "slots_freed": seconds.map(lambda s: (SlotsFreed(s), lambda run: workers.slots_freed(run, _ns(s)))),
    "graceful_stop": st.tuples(seconds, seconds).map(
        lambda v: (GracefulStop(*v), lambda run: workers.graceful_stop(run, _ns(v[0]), _ns(v[1])))
    ),
    "resources": st.just(
        (
            Resources(1e7, 1e8, 0.1, 0.5, fewest_jobs=1),
            lambda run: workers.resources(
                run,
                {
                    Kind.RESOURCE_MEMORY: 1e7,
                    Kind.RESOURCE_DESCRIPTORS: 1e8,
                    Kind.RESOURCE_CPU: 0.1,
                    Kind.RESOURCE_MEMORY_LIMIT: 0.5,
                },
                1,
            ),
        )
    ),
}


FURTHER = {
    "backoff": upstream_calls(),
    "deadline": traffic(),
    "drain_time": traffic(),
    "fifo_per_key": traffic(),
    "at_least_once": chains(),
    "graceful_stop": stops(),
    "no_link_lost": chains(),
    "once_per_delivery": deliveries(),
    "one_run_per_tick": ticks(),
    "priority": traffic(),
    "resources": samples(),
    "throughput_recovery": traffic(),
    "upstream_rate_limit": upstream_calls(),
}


def _facts(contract: Contract, history: History) -> tuple[object, Counter[tuple[int | None, int | None]]]:
    finding = contract.check(history)
    return finding.word, Counter((job, row) for job, row, _ in finding.offenders.iter_rows())


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_a_contract_agrees_with_its_oracle(name: str, data: st.DataObject) -> None:
    history = data.draw(histories(FURTHER[name]) if name in FURTHER else histories())
    contract, oracle = data.draw(CASES[name])
    run = plain(history)
    answer = oracle(run)
    assert _facts(contract, history) == (word_of(answer, run), Counter(answer.offences))


@settings(max_examples=EXAMPLES, deadline=None)
@given(histories())
def test_exactly_once_is_the_graver_of_both(history: History) -> None:
    both = [AtLeastOnce().check(history), AtMostOnce().check(history)]
    finding = ExactlyOnce().check(history)
    assert finding.word == min(one.word for one in both)
    assert finding.offenders.height == sum(one.offenders.height for one in both if one.word == finding.word)
