"""Two runs written by hand: one in which every promise is kept, one in which nearly every one is broken, mostly more than once."""

from __future__ import annotations

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
from jobharness.contracts.rate_limit import RateLimit, UpstreamRateLimit
from jobharness.contracts.recovery import Recovery
from jobharness.contracts.resources import Resources
from jobharness.contracts.schedule_lateness import ScheduleLateness
from jobharness.contracts.slots_freed import SlotsFreed
from jobharness.contracts.starvation import Starvation
from jobharness.contracts.throughput_recovery import ThroughputRecovery
from jobharness.contracts.time_limit import TimeLimit
from jobharness.contracts.workers_stay_up import WorkersStayUp

__all__ = ["BAD", "CONTRACTS", "GOOD"]

CONTRACTS: dict[str, Contract] = {
    "observed": Observed(),
    "faults_hit": FaultsHit(("kill",)),
    "no_phantoms": NoPhantoms(),
    "at_least_once": AtLeastOnce(),
    "at_most_once": AtMostOnce(),
    "exactly_once": ExactlyOnce(),
    "exactly_once_effect": ExactlyOnceEffect(("mail",)),
    "attempts_bounded": AttemptsBounded(2),
    "backoff": Backoff(1.0, factor=2.0, cap_s=8.0),
    "time_limit": TimeLimit(1.0, 2.0, grace_s=0.5),
    "slots_freed": SlotsFreed(1.0),
    "rate_limit": RateLimit(1, 0.5, "key"),
    "rate_limit of the run": RateLimit(3, 1.0),
    "upstream_rate_limit": UpstreamRateLimit(1, 0.2, "task"),
    "concurrency_limit": ConcurrencyLimit(1, "key"),
    "concurrency_limit of the run": ConcurrencyLimit(2),
    "lease": Lease(),
    "not_before": NotBefore(0.1),
    "deadline": Deadline(5.0),
    "schedule_lateness": ScheduleLateness(0.5),
    "one_run_per_tick": OneRunPerTick(),
    "fifo_per_key": FifoPerKey(),
    "priority": Priority(0.1),
    "starvation": Starvation(3.0),
    "dead_letters": DeadLetters(reported=True),
    "failures_visible": FailuresVisible(),
    "poison_contained": PoisonContained(("poison",), 3.0, 0),
    "recovery": Recovery(3.0),
    "throughput_recovery": ThroughputRecovery(1.0, 0.9),
    "drain_time": DrainTime(6.0),
    "graceful_stop": GracefulStop(2.0, settle_s=0.5),
    "workers_stay_up": WorkersStayUp(),
    "resources": Resources(1000, 10, 0.5, 0.85, fewest_jobs=2),
}

GOOD = """
    0.0 harness worker.started - text=worker-1 value=1001
    0.1 worker-1 worker.ready -
    0.1 harness resource.memory_limit - text=worker-1 group=7 value=1000
    1.0 producer enqueue.begin a task=mail group=k1 value=1s
    1.0 producer enqueue.priority a value=1
    1.1 producer enqueue.acknowledged a
    1.2 producer enqueue.begin b task=mail group=k1 value=1.2s
    1.2 producer enqueue.priority b value=0
    1.2 producer enqueue.not_before b value=3s
    1.3 producer enqueue.acknowledged b
    2.0 producer enqueue.begin c task=poison value=2s
    2.1 producer enqueue.acknowledged c
    2.2 producer enqueue.begin d task=charge value=2.2s
    2.3 producer enqueue.acknowledged d
    2.0 scheduler schedule.tick e text=nightly value=2s
    4.0 scheduler schedule.tick f text=nightly value=2s
    1.5 worker-1 job.received a
    1.5 worker-1 job.running a task=mail
    1.6 upstream upstream.request a task=api
    1.7 upstream effect.applied a task=api
    1.8 worker-1 job.finished a
    1.9 worker-1 job.settled a
    2.1 worker-2 job.running e
    2.2 worker-2 job.finished e
    2.4 worker-2 job.running c
    2.5 worker-2 job.failed c
    2.5 worker-2 job.dead c value=raised
    3.2 worker-1 job.running b task=mail
    3.3 upstream upstream.request b task=api
    3.4 upstream effect.applied b task=api
    3.5 worker-1 job.finished b
    4.1 worker-2 job.running f
    4.2 worker-2 job.finished f
    4.3 worker-2 job.running d
    4.4 worker-2 job.failed d
    4.4 worker-2 job.retried d
    5.0 harness fault.begin - text=kill
    5.5 worker-2 job.running d
    5.6 harness fault.hit d value=1002 text=kill
    5.7 worker-2 job.finished d
    6.0 harness fault.end - text=kill
    6.0 producer producer.done - value=4
    6.1 worker-3 job.running g
    6.1 producer enqueue.begin g task=charge value=6s
    6.1 producer enqueue.acknowledged g
    6.2 worker-3 job.timed_out g
    6.2 worker-3 job.dead g value=timed_out
    7.0 worker-3 job.running h
    6.9 producer enqueue.begin h task=charge value=6.9s
    6.9 producer enqueue.acknowledged h
    7.1 worker-3 job.finished h
    8.0 harness run.phase - text=stop
    8.1 worker-1 worker.stopping -
    8.5 harness worker.exited - text=worker-1 value=0
    9.0 harness job.buried c text=list
    9.0 harness failure.logged c text=log
    9.0 integration failure.reported c text=Boom
    9.0 harness job.buried g text=list
    9.0 integration failure.reported g text=Boom
    1.0 harness resource.memory - text=worker-1 group=7 value=100
    2.0 harness resource.memory - text=worker-1 group=7 value=100
    4.0 harness resource.memory - text=worker-1 group=7 value=101
    1.0 harness resource.cpu - text=worker-1 group=7 value=100ms
    2.0 harness resource.cpu - text=worker-1 group=7 value=200ms
    4.0 harness resource.cpu - text=worker-1 group=7 value=300ms
"""
"""Every promise is kept."""

BAD = """
    0.0 harness worker.started - text=worker-1 value=1001
    0.1 worker-1 worker.ready -
    0.1 harness resource.memory_limit - text=worker-1 group=7 value=1000
    1.0 producer enqueue.begin a task=mail group=k1 value=1s
    1.0 producer enqueue.priority a value=0
    1.1 producer enqueue.acknowledged a
    1.2 producer enqueue.begin b task=mail group=k1 value=1.2s
    1.2 producer enqueue.priority b value=1
    1.3 producer enqueue.acknowledged b
    1.2 producer enqueue.begin c task=charge group=k1 value=1.2s
    1.2 producer enqueue.priority c value=2
    1.3 producer enqueue.acknowledged c
    1.4 producer enqueue.begin d task=charge value=1.4s
    1.4 producer enqueue.not_before d value=4s
    1.5 producer enqueue.acknowledged d
    1.5 producer enqueue.begin e task=charge value=1.5s
    1.5 producer enqueue.not_before e value=5s
    1.6 producer enqueue.acknowledged e
    1.7 producer enqueue.begin f task=mail value=1.7s
    1.7 producer enqueue.not_before f value=2s
    1.8 producer enqueue.acknowledged f
    1.9 producer enqueue.begin p task=poison value=1.9s
    1.9 producer enqueue.acknowledged p
    1.9 producer enqueue.begin q task=mail value=1.9s
    1.9 producer enqueue.acknowledged q
    2.0 scheduler schedule.tick s1 text=nightly value=2s
    2.5 scheduler schedule.tick s2 text=nightly value=2s
    6.0 scheduler schedule.tick s3 text=nightly value=2s
    6.5 scheduler schedule.tick s4 text=hourly group=noon value=2s
    6.6 scheduler schedule.tick s5 text=hourly group=noon value=2s
    2.0 worker-1 job.running c task=charge
    2.1 worker-2 job.running b task=mail
    2.2 worker-2 job.running p task=poison
    2.2 worker-1 job.failed c
    2.2 worker-1 job.retried c value=2s
    2.4 worker-2 job.running c task=charge
    2.4 upstream upstream.request b task=api
    2.45 upstream upstream.request b task=api
    2.5 upstream upstream.retry_after b value=2s task=api
    3.0 upstream upstream.request b task=api
    2.5 upstream effect.applied b task=api
    2.6 upstream effect.applied b task=api
    2.7 upstream effect.applied b task=api
    2.6 worker-1 job.failed c
    2.6 worker-1 job.dead c value=raised
    2.7 worker-1 job.running d
    3.0 worker-2 job.finished b
    3.0 worker-1 job.received b
    3.1 worker-2 job.settled b
    3.2 worker-1 job.running e
    3.4 worker-1 job.finished d
    3.5 worker-2 job.running ghost
    3.6 worker-2 job.finished ghost
    4.0 harness fault.begin - text=kill
    4.0 harness fault.hit e value=1003 text=kill
    4.0 harness fault.hit b value=1003 text=kill
    4.0 harness fault.hit q value=1003 text=kill
    4.2 harness fault.end - text=kill
    5.0 worker-3 job.running a task=mail
    5.5 worker-3 job.running a task=mail
    9.0 worker-3 job.finished a
    9.1 worker-2 job.running e
    9.2 worker-1 job.running e
    9.3 worker-2 job.finished e
    7.0 worker-4 job.running q
    7.2 worker-4 job.timed_out q
    7.2 worker-4 job.dead q value=timed_out
    2.0 producer producer.done - value=9
    9.4 harness worker.exited - text=worker-2 value=1
    9.6 worker-3 worker.stopping -
    9.7 worker-3 job.running s1
    9.8 worker-3 job.finished s1
    10.5 worker-3 job.running s3
    10.6 worker-3 job.finished s3
    10.7 worker-3 job.running s4
    15.0 harness worker.exited - text=worker-3 value=-9
    16.0 harness job.held f text=queue
    16.0 harness job.buried a text=list
    16.0 harness job.buried q text=list
    16.0 harness job.buried q text=list
    16.0 integration failure.reported c text=Boom
    16.0 integration failure.reported c text=Boom
    1.0 harness resource.memory - text=worker-1 group=7 value=100
    2.0 harness resource.memory - text=worker-1 group=7 value=300
    3.5 harness resource.memory - text=worker-1 group=7 value=500
    4.0 harness resource.memory - text=worker-1 group=7 value=900
    1.0 harness resource.descriptors - text=worker-1 group=7 value=10
    2.3 harness resource.descriptors - text=worker-1 group=7 value=11
    3.5 harness resource.descriptors - text=worker-1 group=7 value=19
    1.0 harness resource.cpu - text=worker-1 group=7 value=1s
    2.3 harness resource.cpu - text=worker-1 group=7 value=2s
    3.5 harness resource.cpu - text=worker-1 group=7 value=9s
"""
"""No promise is kept but those that are about the run as a whole."""
