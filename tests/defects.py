"""One violation for each contract, planted at a random place of a clean history of 100,000 jobs.

A plant says which rows to drop and which events to add; `planted` makes the History, and `PLANTS` says which contract must find it, with which word.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import polars as pl

from jobharness.contracts.alarm import AlarmRings, AlarmsQuiet
from jobharness.contracts.at_most_once import AtMostOnce
from jobharness.contracts.contract import Contract, Word
from jobharness.contracts.exactly_once import ExactlyOnce
from jobharness.contracts.health import HealthHonest
from jobharness.contracts.invariant import InvariantHolds
from jobharness.contracts.rate_limit import UpstreamRateLimit
from jobharness.contracts.reported import Reported
from jobharness.history.columns import NO_JOB
from jobharness.history.event import Kind
from jobharness.history.frame import EVENT_SCHEMA, History
from tests.benchmarks.big import (
    CLEAN,
    DELIVERED,
    FIRST_WORKER,
    HARNESS,
    KEYS,
    MS,
    PRODUCER,
    RATE,
    SCHEDULER,
    TEXT,
    UPSTREAM,
    S,
    clean_history,
)

__all__ = ["CRASHLESS", "JOBS", "PLANTS", "UNPLANTED", "Base", "Plant", "planted"]

JOBS = 100_000
OTHER = FIRST_WORKER + 3


class Event(NamedTuple):
    """An event to add; the columns of EVENT_SCHEMA that matter."""

    time_ns: int
    kind: Kind
    job: int | None
    process: int = OTHER
    text: int = 0
    value: int = 0
    group: int = 0
    task: int = 0


@dataclass(frozen=True)
class Plant:
    """What to change. `job`: the job that must be blamed; None where no job is."""

    drop: list[int] = field(default_factory=list)
    add: list[Event] = field(default_factory=list)
    job: int | None = None


class Base:
    """The clean history, and where the events of its jobs are."""

    def __init__(self, crashes: bool = True) -> None:
        self.history: History = clean_history(JOBS, crashes=crashes)
        self.columns = self.history.columns
        self.kinds, self.jobs, self.times = self.columns["kind"], self.columns["job"], self.columns["time_ns"]
        # Jobs that run once, are not delayed and succeed.
        job = np.arange(JOBS)
        odd = (job % 25 == 3) | (job % 33 == 5) | (job % 200 == 9) | (job % 500 == 11) | (job % 1000 == 7)
        self.plain = job[~odd & (job > 1000) & (job < JOBS - 1000)]

    def rows(self, kind: Kind, job: int | None = None) -> np.ndarray:
        """Where the events of a kind (of one job) are."""
        rows = self.columns.rows(kind)
        return rows if job is None else rows[self.jobs[rows] == job]

    def row(self, kind: Kind, job: int, nth: int = 0) -> int:
        return int(self.rows(kind, job)[nth])

    def moved(self, kind: Kind, job: int, to_ns: int, nth: int = 0) -> Plant:
        """One event of the job at another time."""
        row = self.row(kind, job, nth)
        process = int(self.columns["process"][row])
        moved = Event(to_ns, kind, job, process, int(self.columns["text"][row]), int(self.columns["value"][row]))
        return Plant([row], [moved], job)

    def at(self, kind: Kind, job: int, nth: int = 0) -> int:
        return int(self.times[self.row(kind, job, nth)])


def planted(base: Base, plant: Plant) -> History:
    """The clean history with the plant in it. What is added comes after what happened at the same moment."""
    added = sorted(plant.add, key=lambda event: event.time_ns)
    places = np.searchsorted(base.times, [event.time_ns for event in added], side="right")
    gone = np.array(plant.drop, np.int64)
    # Dropped after what is added was put in: the rows move on by what comes before them.
    gone = gone + np.searchsorted(places, gone, side="right")
    columns = {}
    for name, kind in EVENT_SCHEMA.items():
        values = [getattr(event, name, 0) for event in added]
        more = [NO_JOB if value is None else value for value in values]
        column = np.insert(base.columns[name], places, more) if added else base.columns[name]
        columns[name] = pl.Series(name, np.delete(column, gone) if len(gone) else column, kind)
    events = pl.DataFrame(columns).with_columns(job=pl.when(pl.col("job") != NO_JOB).then("job"))
    whole = base.history
    return History(events, whole.jobs, whole.processes, whole.texts, whole.header)


Random = np.random.Generator


def _lost(base: Base, random: Random) -> Plant:
    job = int(random.choice(base.plain))
    return Plant([base.row(Kind.JOB_FINISHED, job)], job=job)


def _link_lost(base: Base, random: Random) -> Plant:
    """The second job of a chain is gone, its enqueue and all; the first has finished."""
    finished = np.zeros(JOBS, np.int64)
    np.add.at(finished, base.jobs[base.rows(Kind.JOB_FINISHED)], 1)
    chains = np.arange(500)
    job = int(random.choice(chains[finished[2 * chains] > 0])) * 2 + 1
    kept = (Kind.ENQUEUE_LINKED, Kind.ENQUEUE_BEGIN)
    return Plant([int(row) for row in np.flatnonzero(base.jobs == job) if base.kinds[row] not in kept], job=job)


def _run_again(base: Base, random: Random) -> Plant:
    job = int(random.choice(base.plain))
    at = base.at(Kind.JOB_FINISHED, job) + int(random.integers(1, S))
    return Plant(add=[Event(at, Kind.JOB_RUNNING, job), Event(at + MS, Kind.JOB_FINISHED, job)], job=job)


def _effect_again(base: Base, random: Random) -> Plant:
    job = int(random.choice(base.plain[base.plain % 3 == 1]))
    at = base.at(Kind.EFFECT_APPLIED, job) + int(random.integers(1, S))
    return Plant(add=[Event(at, Kind.EFFECT_APPLIED, job, UPSTREAM, task=TEXT["POST /mail"])], job=job)


def _phantom(base: Base, random: Random) -> Plant:
    job = int(random.choice(base.plain[base.plain % 50_000 != 0]))
    kinds = (Kind.ENQUEUE_BEGIN, Kind.ENQUEUE_ACKNOWLEDGED, Kind.ENQUEUE_PRIORITY)
    return Plant([int(row) for kind in kinds for row in base.rows(kind, job)], job=job)


def _four_runs(base: Base, random: Random) -> Plant:
    job = int(random.choice(base.plain))
    at = base.at(Kind.JOB_FINISHED, job)
    return Plant(add=[Event(at + n * S, Kind.JOB_RUNNING, job) for n in (1, 2, 3)], job=job)


def _hasty(base: Base, random: Random) -> Plant:
    job = int(random.choice(np.arange(1000, JOBS - 1000)[_retried()]))
    return base.moved(Kind.JOB_RUNNING, job, base.at(Kind.JOB_FAILED, job) + int(random.integers(1, S - 1)), nth=1)


def _retried() -> np.ndarray:
    """Which of the jobs from 1000 on fail once and are retried."""
    job = np.arange(1000, JOBS - 1000)
    return (job % 33 == 5) & (job % 200 != 9) & (job % 25 != 3)


def _too_long(base: Base, random: Random) -> Plant:
    job = int(random.choice(base.plain))
    return base.moved(Kind.JOB_FINISHED, job, base.at(Kind.JOB_RUNNING, job) + 11 * S + int(random.integers(1, 9 * S)))


def _slot_kept(base: Base, random: Random) -> Plant:
    job = int(random.choice(base.plain[base.plain < JOBS // 2]))
    at = base.at(Kind.JOB_RUNNING, job)
    times_out = Event(at + MS, Kind.JOB_TIMED_OUT, job, SCHEDULER)
    return Plant(add=[Event(at, Kind.JOB_RUNNING, job, SCHEDULER), times_out], job=job)


def _rush(base: Base, random: Random) -> Plant:
    job = int(random.choice(base.plain))
    at = base.at(Kind.JOB_RUNNING, job) + int(random.integers(1, S // 2))
    return Plant(add=[Event(at + n, Kind.JOB_RUNNING, job) for n in (0, 1)], job=job)


def _upstream_rush(base: Base, random: Random) -> Plant:
    job = int(random.choice(base.plain))
    at = base.at(Kind.JOB_RUNNING, job)
    return Plant(add=[Event(at + n, Kind.UPSTREAM_REQUEST, job, UPSTREAM) for n in range(61)], job=job)


def _two_of_a_key(base: Base, random: Random) -> Plant:
    job = int(random.choice(base.plain[base.plain < KEYS]))
    at = base.at(Kind.JOB_RUNNING, job)
    other = job + KEYS
    ended = base.at(Kind.JOB_FINISHED, job)
    return Plant(add=[Event(int(random.integers(at + 1, ended)), Kind.JOB_RUNNING, other)], job=other)


def _two_owners(base: Base, random: Random) -> Plant:
    job = int(random.choice(base.plain))
    at = int(random.integers(base.at(Kind.JOB_RUNNING, job) + 1, base.at(Kind.JOB_FINISHED, job)))
    return Plant(add=[Event(at, Kind.JOB_RUNNING, job, SCHEDULER)], job=job)


def _delayed(random: Random) -> int:
    job = np.arange(1000, JOBS - 1000)
    return int(random.choice(job[(job % 25 == 3) & (job % 33 != 5) & (job % 500 != 11)]))


def _early(base: Base, random: Random) -> Plant:
    job = _delayed(random)
    due = int(base.columns["value"][base.row(Kind.ENQUEUE_NOT_BEFORE, job)])
    return base.moved(Kind.JOB_RUNNING, job, due - int(random.integers(1, S)))


def _late_for_its_time(base: Base, random: Random) -> Plant:
    job = _delayed(random)
    due = int(base.columns["value"][base.row(Kind.ENQUEUE_NOT_BEFORE, job)])
    return base.moved(Kind.JOB_RUNNING, job, due + S + int(random.integers(1, S)))


def _overdue(base: Base, random: Random) -> Plant:
    job = int(random.choice(base.plain))
    return base.moved(Kind.JOB_FINISHED, job, base.at(Kind.ENQUEUE_BEGIN, job) + 20 * S + int(random.integers(1, 9 * S)))


def _tick_twice(base: Base, random: Random) -> Plant:
    job = int(random.choice(base.plain))
    at = int(random.choice(base.times[base.rows(Kind.SCHEDULE_TICK)])) + int(random.integers(1, 4 * S))
    return Plant(add=[Event(at, Kind.SCHEDULE_TICK, job, SCHEDULER, TEXT["nightly"], 10 * S)], job=job)


def _delivered_twice(base: Base, random: Random) -> Plant:
    """A webhook that led to a job led to another one of the same kind, too; the later of the two to end is one too many."""
    delivered = base.plain[base.plain < KEYS]
    delivered = delivered[np.isin(delivered, np.arange(JOBS)[DELIVERED])]
    job = int(random.choice(delivered))
    other = int(random.choice(base.plain[(base.plain >= KEYS) & (base.plain % 3 == job % 3)]))
    name = int(base.columns["text"][base.row(Kind.DELIVERY_TRIED, job)])
    at = base.at(Kind.ENQUEUE_ACKNOWLEDGED, other)
    return Plant(add=[Event(at, Kind.DELIVERY_TRIED, other, PRODUCER, name, 200)], job=other)


def _overtaken(base: Base, random: Random) -> Plant:
    job = int(random.choice(base.plain[base.plain < KEYS]))
    job = (
        job
        if job + KEYS in base.plain
        else int(base.plain[base.plain < KEYS][np.isin(base.plain[base.plain < KEYS] + KEYS, base.plain)][0])
    )
    plant = base.moved(Kind.JOB_RUNNING, job, base.at(Kind.JOB_RUNNING, job + KEYS) + int(random.integers(1, S)))
    return Plant(plant.drop, plant.add, job + KEYS)


def _urgent_waits(base: Base, random: Random) -> Plant:
    ranked = base.plain[(base.plain % 10 == 1) & (base.plain < JOBS // 3 - 1000)]
    job = int(random.choice(ranked))
    later = JOBS // 3 + 2000
    return Plant(
        base.moved(Kind.JOB_RUNNING, job, S + later * (S // RATE)).drop,
        base.moved(Kind.JOB_RUNNING, job, S + later * (S // RATE)).add,
    )


def _starved(base: Base, random: Random) -> Plant:
    job = int(random.choice(base.plain))
    return base.moved(Kind.JOB_RUNNING, job, base.at(Kind.ENQUEUE_BEGIN, job) + 10 * S + int(random.integers(1, 9 * S)))


def _dead(base: Base, random: Random, kind: Kind) -> Plant:
    row = int(random.choice(base.rows(kind)))
    return Plant([row], job=int(base.jobs[row]))


def _not_recovered(base: Base, random: Random) -> Plant:
    job = int(base.jobs[random.choice(base.rows(Kind.FAULT_HIT))])
    return Plant([base.row(Kind.JOB_RUNNING, job, 1), base.row(Kind.JOB_FINISHED, job)], job=job)


def _slump(base: Base, random: Random) -> Plant:
    strike = int(random.choice(base.times[base.rows(Kind.FAULT_BEGIN)]))
    second = -(-(strike + 3 * S) // S)
    ends = base.rows(Kind.JOB_FINISHED)
    ends = ends[base.times[ends] // S == second]
    return Plant([int(row) for row in random.choice(ends, int(len(ends) * random.uniform(0.4, 0.9)), replace=False)])


def _not_drained(base: Base, random: Random) -> Plant:
    job = int(random.choice(base.plain))
    done = int(base.times[base.rows(Kind.PRODUCER_DONE)[0]])
    return base.moved(Kind.JOB_FINISHED, job, done + 20 * S + int(random.integers(1, 9 * S)))


def _cut_by_stop(base: Base, random: Random) -> Plant:
    ends = base.rows(Kind.JOB_FINISHED)
    ends = ends[(base.columns["process"][ends] == FIRST_WORKER) & np.isin(base.jobs[ends], base.plain)]
    row = int(random.choice(ends))
    return Plant([row], job=int(base.jobs[row]))


def _exit(base: Base, random: Random) -> Plant:
    at = int(random.integers(2 * S, 19 * S))
    return Plant(add=[Event(at, Kind.WORKER_EXITED, None, HARNESS, TEXT["worker-1"], 1)])


def _near_the_limit(base: Base, random: Random) -> Plant:
    row = int(random.choice(base.rows(Kind.RESOURCE_MEMORY)[15:-15]))
    value = int(random.integers(86, 100)) << 20
    return Plant([row], [Event(int(base.times[row]), Kind.RESOURCE_MEMORY, None, HARNESS, TEXT["worker-1"], value, TEXT["99"])])


CRASHLESS = frozenset(("at_most_once", "exactly_once", "workers_stay_up"))
"""The contracts that crashes alone would break, or excuse."""

PLANTS: dict[str, tuple[Contract, Callable[[Base, Random], Plant], Word]] = {
    "observed": (CLEAN["observed"], lambda base, random: Plant([int(base.rows(Kind.PRODUCER_DONE)[0])]), Word.UNKNOWN),
    "faults_hit": (CLEAN["faults_hit"], lambda base, random: Plant(base.rows(Kind.FAULT_HIT).tolist()), Word.VACUOUS),
    "at_most_once": (AtMostOnce(), _run_again, Word.BROKEN),
    "exactly_once": (ExactlyOnce(), _run_again, Word.BROKEN),
    "upstream_rate_limit": (UpstreamRateLimit(60, 1.0), _upstream_rush, Word.BROKEN),
    **{
        name: (CLEAN[name], plant, Word.BROKEN)
        for name, plant in {
            "at_least_once": _lost,
            "no_link_lost": _link_lost,
            "exactly_once_effect": _effect_again,
            "no_phantoms": _phantom,
            "attempts_bounded": _four_runs,
            "backoff": _hasty,
            "time_limit": _too_long,
            "slots_freed": _slot_kept,
            "rate_limit": _rush,
            "concurrency_limit": _two_of_a_key,
            "lease": _two_owners,
            "not_before": _early,
            "deadline": _overdue,
            "schedule_lateness": _late_for_its_time,
            "once_per_delivery": _delivered_twice,
            "one_run_per_tick": _tick_twice,
            "fifo_per_key": _overtaken,
            "priority": _urgent_waits,
            "starvation": _starved,
            "dead_letters": lambda base, random: _dead(base, random, Kind.JOB_BURIED),
            "failures_visible": lambda base, random: _dead(base, random, Kind.FAILURE_LOGGED),
            "poison_contained": _starved,
            "recovery": _not_recovered,
            "throughput_recovery": _slump,
            "drain_time": _not_drained,
            "graceful_stop": _cut_by_stop,
            "workers_stay_up": _exit,
            "resources": _near_the_limit,
        }.items()
    },
}

UNPLANTED: dict[type, str] = {
    AlarmRings: "about the app's own alarms, of which a run has a few: tested on real ones",
    AlarmsQuiet: "about the app's own alarms, of which a run has a few: tested on real ones",
    HealthHonest: "about the answers of one URL, asked once a second: tested on histories of seconds and on a real one",
    InvariantHolds: "says what one look at the app's data found: nothing to find among many jobs",
    Reported: "about reports that an ingest took, with texts of which each is told apart: tested on a real one",
}
"""The contracts of which no violation is planted, and why."""
