"""Large histories in which every contract has something to judge, and holds: made by arrays from a seed, a few
seconds for ten million jobs.

Jobs arrive 5,000 a second on four tasks and 50,000 keys. 3% fail once and are retried a second later; 0.5% are cut
off by a kill and run again five seconds later; 4% are delayed; 10% have a priority; 0.2% are given up, buried and
logged; 1% call the upstream. Up to 24,000 come of a webhook, each fifth of which was sent twice.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from jobharness.contracts.at_least_once import AtLeastOnce
from jobharness.contracts.attempts_bounded import AttemptsBounded
from jobharness.contracts.backoff import Backoff
from jobharness.contracts.concurrency_limit import ConcurrencyLimit
from jobharness.contracts.contract import Contract
from jobharness.contracts.dead_letters import DeadLetters
from jobharness.contracts.deadline import Deadline
from jobharness.contracts.drain_time import DrainTime
from jobharness.contracts.exactly_once_effect import ExactlyOnceEffect
from jobharness.contracts.failures_visible import FailuresVisible
from jobharness.contracts.faults_hit import FaultsHit
from jobharness.contracts.fifo_per_key import FifoPerKey
from jobharness.contracts.graceful_stop import GracefulStop
from jobharness.contracts.lease import Lease
from jobharness.contracts.no_link_lost import NoLinkLost
from jobharness.contracts.no_phantoms import NoPhantoms
from jobharness.contracts.not_before import NotBefore
from jobharness.contracts.observed import Observed
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
from jobharness.history.event import Dead, Kind
from jobharness.history.frame import EVENT_SCHEMA, JOB_SCHEMA, PROCESS_SCHEMA, History

__all__ = ["CLEAN", "clean_history"]

MS = 1_000_000
S = 1000 * MS
RATE = 5000
WORKERS = 16
KEYS = 50_000
DELIVERED = slice(1001, KEYS, 2)
"""The jobs that come of webhooks."""
PRODUCER, HARNESS, UPSTREAM, SCHEDULER = range(4)
FIRST_WORKER = 4
TEXTS = ("", "shop.charge", "shop.receipt", "shop.resize", "shop.poison", "kill#1", "worker-1", "nightly", "POST /mail", "99", "stop", "dead list", "log")  # fmt: skip
TEXT = {words: number for number, words in enumerate(TEXTS)}

CLEAN: dict[str, Contract] = {
    "observed": Observed(),
    "faults_hit": FaultsHit(("kill#1",)),
    "no_phantoms": NoPhantoms(),
    "at_least_once": AtLeastOnce(),
    "no_link_lost": NoLinkLost(),
    "exactly_once_effect": ExactlyOnceEffect(("shop.receipt",)),
    "attempts_bounded": AttemptsBounded(3),
    "backoff": Backoff(1.0, factor=2.0, cap_s=60.0),
    "time_limit": TimeLimit(5.0, 10.0),
    "slots_freed": SlotsFreed(5.0),
    "rate_limit": RateLimit(2, 1.0, "key"),
    "upstream_rate_limit": UpstreamRateLimit(5 * RATE, 1.0),
    "concurrency_limit": ConcurrencyLimit(1, "key"),
    "lease": Lease(),
    "not_before": NotBefore(),
    "deadline": Deadline(20.0),
    "schedule_lateness": ScheduleLateness(1.0),
    "once_per_delivery": OncePerDelivery(),
    "one_run_per_tick": OneRunPerTick(),
    "fifo_per_key": FifoPerKey(),
    "priority": Priority(),
    "starvation": Starvation(10.0),
    "dead_letters": DeadLetters(),
    "failures_visible": FailuresVisible(),
    "poison_contained": PoisonContained(("shop.poison",), 10.0),
    "recovery": Recovery(10.0),
    "throughput_recovery": ThroughputRecovery(3.0, 0.8),
    "drain_time": DrainTime(20.0),
    "graceful_stop": GracefulStop(5.0),
    "workers_stay_up": WorkersStayUp(),
    "resources": Resources(1e6, 10.0, 0.1, 0.85),
}
"""Every contract, with bounds that a clean history keeps."""


class _Table:
    """Events by column, piece by piece."""

    def __init__(self) -> None:
        self.pieces: list[pl.DataFrame] = []

    def add(self, kind: Kind, time_ns: np.ndarray | int, job: np.ndarray | int | None, **columns: object) -> None:
        times = np.atleast_1d(np.asarray(time_ns, np.int64))
        frame = {"time_ns": times, "job": pl.Series([job] * len(times), dtype=pl.UInt32) if job is None else np.asarray(job)}
        made = pl.DataFrame(frame).with_columns(kind=pl.lit(int(kind)))
        for name in ("attempt", "process", "task", "text", "group", "value"):
            value = columns.get(name, 0)
            made = made.with_columns(pl.Series(name, value) if isinstance(value, np.ndarray) else pl.lit(value).alias(name))
        self.pieces.append(made.select(pl.col(name).cast(kind) for name, kind in EVENT_SCHEMA.items()))

    def sorted(self) -> pl.DataFrame:
        table = pl.concat(self.pieces)
        self.pieces.clear()
        return table.sort("time_ns", maintain_order=True).rechunk()


def clean_history(n_jobs: int, seed: int = 1, crashes: bool = True) -> History:
    """A History of `n_jobs` jobs, about 4.5 events each, in which every contract of `CLEAN` holds."""
    random = np.random.default_rng(seed)
    table = _Table()
    job = np.arange(n_jobs, dtype=np.uint32)
    intended = (job.astype(np.int64) * (S // RATE)) + S
    begun = intended + random.integers(10_000, 50_000, n_jobs)
    acknowledged = begun + random.integers(50_000, 150_000, n_jobs)
    task = (1 + job % 3).astype(np.uint32)
    task[job % 1000 == 7] = TEXT["shop.poison"]
    group = (len(TEXTS) + job % KEYS).astype(np.uint32)
    table.add(Kind.ENQUEUE_BEGIN, begun, job, process=PRODUCER, task=task, group=group, value=intended)
    table.add(Kind.ENQUEUE_ACKNOWLEDGED, acknowledged, job, process=PRODUCER, task=task)

    # Chains of two among the first thousand jobs, named by the keys, of which there are that many.
    linked = job[: min(1000, n_jobs) // 2 * 2]
    names = len(TEXTS) + linked // 2
    table.add(Kind.ENQUEUE_LINKED, intended[linked], linked, process=PRODUCER, text=names, value=(linked % 2).astype(np.int64))

    _deliveries(table, job[DELIVERED], acknowledged)
    delayed = job % 25 == 3
    due = intended + 2 * S
    table.add(Kind.ENQUEUE_NOT_BEFORE, begun[delayed], job[delayed], process=PRODUCER, value=due[delayed])
    ranked = job % 10 == 1
    table.add(
        Kind.ENQUEUE_PRIORITY, begun[ranked], job[ranked], process=PRODUCER, value=job[ranked].astype(np.int64) * 3 // n_jobs
    )

    wait = random.integers(5, 6, n_jobs) * MS
    running = np.where(delayed, due, acknowledged) + wait
    took = random.integers(1, 100, n_jobs) * MS
    worker = (FIRST_WORKER + random.integers(0, WORKERS, n_jobs)).astype(np.uint32)
    attempt_one = {"process": worker, "task": task, "attempt": 1}
    table.add(Kind.JOB_RUNNING, running, job, **attempt_one)
    second = _second_runs(table, job, running, took, worker, task, crashes)
    once = ~second
    dead = once & (job % 500 == 11)
    good = once & ~dead
    table.add(Kind.JOB_FINISHED, (running + took)[good], job[good], process=worker[good], task=task[good])
    _dead_jobs(table, job[dead], (running + took)[dead], worker[dead])
    effects = job % 3 == 1
    _effects(table, job[effects], running[effects])
    return _whole(table, n_jobs, int(intended[-1]), seed)


def _deliveries(table: _Table, job: np.ndarray, acknowledged: np.ndarray) -> None:
    """Webhooks that led to these jobs, named by the keys; an answer was lost now and then, and the same job was named again."""
    job = job[job % 500 != 11]  # Those of which something came.
    names, again = len(TEXTS) + job, job % 5 == 0
    at = acknowledged[job]
    table.add(Kind.DELIVERY_TRIED, at, job, process=PRODUCER, text=names, value=200)
    table.add(Kind.DELIVERY_TRIED, at[again] + S, job[again], process=PRODUCER, text=names[again], value=200)


def _second_runs(
    table: _Table, job: np.ndarray, running: np.ndarray, took: np.ndarray, worker: np.ndarray, task: np.ndarray, crashes: bool
) -> np.ndarray:
    """Retries of jobs that fail and reruns of jobs that are cut off; which jobs they are, (n_jobs,) bool."""
    retried, cut = job % 33 == 5, (job % 200 == 9) & crashes
    retried &= ~cut
    failed_at = (running + took)[retried]
    table.add(Kind.JOB_FAILED, failed_at, job[retried], process=worker[retried])
    table.add(Kind.JOB_RETRIED, failed_at, job[retried], process=worker[retried], value=S)
    hit_at = (running + took)[cut]
    pids = worker[cut].astype(np.int64) + 100
    table.add(Kind.FAULT_HIT, hit_at, job[cut], process=HARNESS, value=pids, text=TEXT["kill#1"])
    for which, gap, at in ((retried, S + 3 * MS, failed_at), (cut, 5 * S, hit_at)):
        again = at + gap
        other = (FIRST_WORKER + (worker[which] - FIRST_WORKER + 1) % WORKERS).astype(np.uint32)
        table.add(Kind.JOB_RUNNING, again, job[which], process=other, task=task[which], attempt=2)
        table.add(Kind.JOB_FINISHED, again + took[which], job[which], process=other, task=task[which])
    return retried | cut


def _dead_jobs(table: _Table, job: np.ndarray, at: np.ndarray, worker: np.ndarray) -> None:
    timed_out = job % 3 == 0
    reason = np.where(timed_out, int(Dead.TIMED_OUT), int(Dead.RAISED)).astype(np.int64)
    table.add(Kind.JOB_FAILED, at[~timed_out], job[~timed_out], process=worker[~timed_out])
    table.add(Kind.JOB_TIMED_OUT, at[timed_out], job[timed_out], process=worker[timed_out])
    table.add(Kind.JOB_DEAD, at, job, process=worker, value=reason)
    table.add(Kind.JOB_BURIED, at + 60 * S, job, process=HARNESS, text=TEXT["dead list"])
    table.add(Kind.FAILURE_LOGGED, at + 60 * S, job, process=HARNESS, text=TEXT["log"])


def _effects(table: _Table, job: np.ndarray, running: np.ndarray) -> None:
    mail = TEXT["POST /mail"]
    calls = job % 100 == 1
    table.add(Kind.UPSTREAM_REQUEST, running[calls], job[calls], process=UPSTREAM, task=mail)
    table.add(Kind.UPSTREAM_ANSWERED, running[calls] + 100_000, job[calls], process=UPSTREAM, task=mail, value=200)
    table.add(Kind.EFFECT_APPLIED, running + 50_000, job, process=UPSTREAM, task=mail)


def _whole(table: _Table, n_jobs: int, last_ns: int, seed: int) -> History:
    """With what is about no job: a strike now and then, a worker that stops in order, samples, ticks."""
    strikes = np.arange(10 * S, max(last_ns - 8 * S, 10 * S + 1), max(10 * S, last_ns // 20), dtype=np.int64)
    table.add(Kind.FAULT_BEGIN, strikes, None, process=HARNESS, text=TEXT["kill#1"])
    table.add(Kind.FAULT_END, strikes + S // 2, None, process=HARNESS, text=TEXT["kill#1"])
    table.add(Kind.WORKER_STARTED, 1, None, process=HARNESS, text=TEXT["worker-1"], value=FIRST_WORKER + 100)
    table.add(Kind.WORKER_READY, 2, None, process=FIRST_WORKER)
    table.add(Kind.PRODUCER_DONE, last_ns + 1, None, process=PRODUCER, value=n_jobs)
    over = last_ns + 100 * S
    table.add(Kind.RUN_PHASE, over, None, process=HARNESS, text=TEXT["stop"])
    table.add(Kind.WORKER_STOPPING, over + 1, None, process=FIRST_WORKER)
    table.add(Kind.WORKER_EXITED, over + S, None, process=HARNESS, text=TEXT["worker-1"])
    samples = np.linspace(S, last_ns, 50).astype(np.int64)
    for kind, value in ((Kind.RESOURCE_MEMORY, 50 << 20), (Kind.RESOURCE_DESCRIPTORS, 20), (Kind.RESOURCE_CPU, 0)):
        table.add(kind, samples, None, process=HARNESS, text=TEXT["worker-1"], group=TEXT["99"], value=value)
    table.add(Kind.RESOURCE_MEMORY_LIMIT, 3, None, process=HARNESS, text=TEXT["worker-1"], group=TEXT["99"], value=100 << 20)
    ticks = np.arange(S, last_ns, 10 * S, dtype=np.int64)
    firsts = np.minimum((ticks - S) // (S // RATE), n_jobs - 1).astype(np.uint32)
    table.add(Kind.SCHEDULE_TICK, ticks, firsts, process=SCHEDULER, text=TEXT["nightly"], value=10 * S)
    names = ["producer", "harness", "upstream", "scheduler", *(f"worker-{n + 1}" for n in range(WORKERS))]
    processes = [(name, name.split("-")[0], 100 + number, "here", False) for number, name in enumerate(names)]
    keys = np.arange(n_jobs, dtype=np.uint64)
    jobs = pl.DataFrame(
        {"key_hi": keys + 1, "key_lo": keys, "id": pl.Series([None], dtype=pl.String).extend_constant(None, n_jobs - 1)}
    )
    return History(
        events=table.sorted(),
        jobs=jobs.cast(dict(JOB_SCHEMA)),
        processes=pl.DataFrame(processes, schema=PROCESS_SCHEMA, orient="row"),
        texts=pl.Series("texts", [*TEXTS, *(f"key-{n}" for n in range(KEYS))], dtype=pl.String),
        header={"schema": 1, "seed": seed, "torn": 0},
    )
