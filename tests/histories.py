"""Histories written by hand, one line an event, for tests.

    history('''
        0.000  producer     enqueue.begin         a
        0.001  producer     enqueue.acknowledged  a
        0.010  worker-1     job.running           a  attempt=1 task=charge
        0.050  worker-1/7   job.dead              a  value=worker_lost text="signal 9"
        0.060  harness      fault.hit             -
    ''')

A line is: seconds, process (`name`, or `name/pid` for another process of that name), event, job (`-`: none), then
what differs from nothing:
`attempt`, `task`, `text`, `group` and `value` (a number, a duration such as 5s or 20ms, or a Dead by name). Lines
stand in any order; the events of one moment keep theirs.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from jobharness.agent.record import key_of
from jobharness.history.event import Dead, Kind
from jobharness.history.frame import EVENT_SCHEMA, JOB_SCHEMA, PROCESS_SCHEMA, History
from jobharness.scenario.units import parse_duration

__all__ = ["Line", "history", "history_of"]

ROLES = ("producer", "worker", "harness", "upstream", "scheduler", "service")


@dataclass(frozen=True)
class Line:
    """One event. `time_ns` from the start; `process` is `name` or `name/pid`; `job` "" where there is none."""

    time_ns: int
    process: str
    kind: Kind
    job: str = ""
    attempt: int = 0
    task: str = ""
    text: str = ""
    group: str = ""
    value: int = 0


def history(lines: str, *, torn: int = 0, failed: Sequence[str] = ()) -> History:
    """The History of lines as above. `torn`: records cut off by a kill; `failed`: processes whose recorder could not
    go on."""
    parsed = [_parsed(line) for line in lines.splitlines() if line.strip() and not line.strip().startswith("#")]
    return history_of(parsed, torn=torn, failed=failed)


def history_of(lines: Iterable[Line], *, torn: int = 0, failed: Sequence[str] = ()) -> History:
    """The History of lines in any order; jobs are numbered as they first appear in time."""
    ordered = sorted(lines, key=lambda line: line.time_ns)
    jobs = {job: number for number, job in enumerate(dict.fromkeys(line.job for line in ordered if line.job))}
    named = [
        *dict.fromkeys([line.process for line in ordered]),
        *(name for name in failed if name not in {line.process for line in ordered}),
    ]
    processes = {name: number for number, name in enumerate(named)}
    texts: dict[str, int] = {"": 0}

    def number(words: str) -> int:
        return texts.setdefault(words, len(texts))

    rows = [
        (
            line.time_ns, jobs[line.job] if line.job else None, int(line.kind), line.attempt, processes[line.process],
            number(line.task), number(line.text), number(line.group), line.value,
        )
        for line in ordered
    ]  # fmt: skip
    return History(
        events=pl.DataFrame(rows, schema=EVENT_SCHEMA, orient="row"),
        jobs=pl.DataFrame([_job_row(job) for job in jobs], schema=JOB_SCHEMA, orient="row"),
        processes=pl.DataFrame(
            [_process_row(name, n, failed) for name, n in processes.items()], schema=PROCESS_SCHEMA, orient="row"
        ),
        texts=pl.Series("texts", list(texts), dtype=pl.String),
        header={"schema": 1, "seed": 1, "torn": torn},
    )


def _job_row(job: str) -> tuple[int, int, str]:
    key = key_of(job)
    return int.from_bytes(key[:8], "big"), int.from_bytes(key[8:], "big"), job


def _process_row(process: str, number: int, failed: Sequence[str]) -> tuple[str, str, int, str, bool]:
    name, _, pid = process.partition("/")
    role = next((role for role in ROLES if name.startswith(role)), "worker")
    return name, role, int(pid) if pid else 1000 + number, "here", process in failed


def _parsed(line: str) -> Line:
    moment, process, kind_name, job, *rest = shlex.split(line)
    kind = Kind.named(kind_name)
    assert kind is not None, f"no such event: {kind_name}"
    extra: dict[str, Any] = dict(word.split("=", 1) for word in rest)
    if "value" in extra:
        extra["value"] = _value(extra["value"])
    if "attempt" in extra:
        extra["attempt"] = int(extra["attempt"])
    return Line(round(float(moment) * 1e9), process, kind, "" if job == "-" else job, **extra)


def _value(word: str) -> int:
    if word.upper() in Dead.__members__:
        return int(Dead[word.upper()])
    try:
        return int(word)
    except ValueError:
        return round(parse_duration(word) * 1e9)
