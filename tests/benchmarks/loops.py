"""Ten contracts as one would write them first: a pass over rows, dicts, loops. To compare with, not to use.

A row is (time_ns, job, kind, process, group, task, value). Each function returns how many offences it found; bounds are those of `big.CLEAN`.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any

from jobharness.history.event import Dead, Kind

__all__ = ["LOOPS"]

Row = tuple[int, int | None, int, int, int, int, int]
S = 1_000_000_000
(
    BEGIN, ACKNOWLEDGED, RECEIVED, RUNNING, FINISHED, FAILED, TIMED_OUT, DEAD, RETRIED, NOT_BEFORE, SETTLED,
) = map(int, (
    Kind.ENQUEUE_BEGIN, Kind.ENQUEUE_ACKNOWLEDGED, Kind.JOB_RECEIVED, Kind.JOB_RUNNING, Kind.JOB_FINISHED, Kind.JOB_FAILED,
    Kind.JOB_TIMED_OUT, Kind.JOB_DEAD, Kind.JOB_RETRIED, Kind.ENQUEUE_NOT_BEFORE, Kind.JOB_SETTLED,
))  # fmt: skip


def no_phantoms(rows: list[Row]) -> int:
    begun, seen = set(), set()
    for _, job, kind, *_ in rows:
        if kind in (BEGIN, ACKNOWLEDGED):
            begun.add(job)
        elif kind in (RECEIVED, RUNNING):
            seen.add(job)
    return len(seen - begun)


def _completed(rows: list[Row]) -> dict[Any, int]:
    ran, done = set(), {}
    for time, job, kind, _, _, _, value in rows:
        if kind == RUNNING:
            ran.add(job)
        elif kind == FINISHED or (kind == DEAD and value in (Dead.RAISED, Dead.TIMED_OUT) and job in ran):
            done.setdefault(job, time)
    return done


def at_least_once(rows: list[Row]) -> int:
    done = _completed(rows)
    return sum(1 for job in {row[1] for row in rows if row[2] == ACKNOWLEDGED} if job not in done)


def attempts_bounded(rows: list[Row]) -> int:
    times: dict[Any, int] = defaultdict(int)
    for row in rows:
        if row[2] == RUNNING:
            times[row[1]] += 1
    return sum(1 for count in times.values() if count > 3)


def _due(rows: list[Row]) -> dict[Any, int]:
    due: dict[Any, int] = {}
    for _, job, kind, _, _, _, value in rows:
        if kind in (BEGIN, NOT_BEFORE):
            due[job] = max(value, due.get(job, 0))
    return due


def deadline(rows: list[Row]) -> int:
    due, done = _due(rows), _completed(rows)
    jobs = {row[1] for row in rows if row[2] == ACKNOWLEDGED}
    return sum(1 for job in jobs if job in due and (job not in done or done[job] - due[job] > 20 * S))


def starvation(rows: list[Row]) -> int:
    due, first = _due(rows), {}
    for time, job, kind, *_ in rows:
        if kind == RUNNING:
            first.setdefault(job, time)
    jobs = {row[1] for row in rows if row[2] == ACKNOWLEDGED}
    return sum(1 for job in jobs if job in due and (job not in first or first[job] - due[job] > 10 * S))


def _executions(rows: list[Row]) -> list[tuple[Any, int, int | None]]:
    running: dict[tuple[Any, int], int] = {}
    found: list[Any] = []
    for time, job, kind, process, *_ in rows:
        if kind == RUNNING:
            running[job, process] = len(found)
            found.append([job, time, None])
        elif kind in (FINISHED, FAILED, TIMED_OUT):
            place = running.pop((job, process), None)
            if place is not None:
                found[place][2] = time
    return found


def time_limit(rows: list[Row]) -> int:
    return sum(1 for _, begin, end in _executions(rows) if end is not None and end - begin > 11 * S)


def lease(rows: list[Row]) -> int:
    until: dict[Any, int] = {}
    count = 0
    for job, begin, end in _executions(rows):
        if until.get(job, 0) > begin:
            count += 1
        until[job] = max(until.get(job, 0), end if end is not None else begin)
    return count


def _keys(rows: list[Row]) -> dict[Any, int]:
    return {row[1]: row[4] for row in rows if row[2] == BEGIN}


def rate_limit(rows: list[Row]) -> int:
    keys, windows, count = _keys(rows), defaultdict(deque), 0
    for time, job, kind, *_ in rows:
        if kind == RUNNING:
            window = windows[keys[job]]
            while window and time - window[0] >= S:
                window.popleft()
            window.append(time)
            count += len(window) > 2
    return count


def concurrency_limit(rows: list[Row]) -> int:
    keys, active, count = _keys(rows), defaultdict(list), 0
    for job, begin, end in _executions(rows):
        others = [until for until in active[keys[job]] if until > begin]
        count += bool(others)
        active[keys[job]] = [*others, end if end is not None else begin]
    return count


def fifo_per_key(rows: list[Row]) -> int:
    keys, first, acknowledged, begun = _keys(rows), {}, {}, {}
    for time, job, kind, *_ in rows:
        if kind == RUNNING:
            first.setdefault(job, time)
        elif kind == ACKNOWLEDGED:
            acknowledged.setdefault(job, time)
        elif kind == BEGIN:
            begun.setdefault(job, time)
    by_key = defaultdict(list)
    for job, key in keys.items():
        if key and job in first:
            by_key[key].append(job)
    count = 0
    for jobs in by_key.values():
        jobs.sort(key=begun.__getitem__)
        acked = sorted((acknowledged[job], first[job]) for job in jobs if job in acknowledged)
        latest = place = 0
        for job in jobs:
            while place < len(acked) and acked[place][0] < begun[job]:
                latest = max(latest, acked[place][1])
                place += 1
            count += latest > first[job]
    return count


LOOPS: dict[str, Callable[[list[Row]], int]] = {
    "no_phantoms": no_phantoms,
    "at_least_once": at_least_once,
    "attempts_bounded": attempts_bounded,
    "deadline": deadline,
    "starvation": starvation,
    "time_limit": time_limit,
    "lease": lease,
    "rate_limit": rate_limit,
    "concurrency_limit": concurrency_limit,
    "fifo_per_key": fifo_per_key,
}
