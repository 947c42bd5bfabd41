"""What passed between the workers and the broker, read from a History that was recorded with the proxy's transcript on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import polars as pl

from jobharness.history.event import Kind
from jobharness.history.frame import History

__all__ = ["Passing", "linked", "passings", "told"]


PER_PROCESS = 1_000_000


@dataclass(frozen=True)
class Passing:
    """One message that passed. `number`: of a command, its place in the connection; of a reply, the command's that it answers
    (0: none). `piece`: messages of one write have the same. `alike`: its signature. `names_job`: whether it is about a job of
    the workload; `names_child`: about one that a worker sent. `by_agent`: whether it is a statement that the agent saw, and no
    message. `of_tick`: whether it is about jobs of the app's own schedule, and no others; `from_tick_s`: how far it is from the
    nearest such job's life, 0 within one.
    """

    time_ns: int
    worker: str
    connection: int
    is_reply: bool
    number: int
    piece: int
    command: str
    alike: str
    words: str
    names_job: bool
    size_bytes: int
    by_agent: bool = False
    names_child: bool = False
    of_tick: bool = False
    from_tick_s: float = math.inf


def passings(history: History) -> list[Passing]:
    """The messages of the workers in order; those of producers and others are left out."""
    names, roles = history.processes["name"].to_list(), history.processes["role"].to_list()
    ticks = set(history.of(Kind.SCHEDULE_TICK).collect()["job"])
    sent = _sent_by(history, "producer") | linked(history)
    children = _sent_by(history, "worker") - ticks - sent
    lives = _lives(history, ticks)
    found: list[Passing] = []
    last: tuple[object, ...] = ()
    for row in _rows(history):
        worker = names[row["process"]]
        if not worker.startswith("worker-"):
            continue
        # A message that is about several jobs stands there once for each.
        place = history.text(row["group"])
        message = (worker, row["attempt"], place, row["text"], row["value"])
        names_job, names_child, of_tick = row["job"] in sent, row["job"] in children, row["job"] in ticks
        if row["job"] is not None and message == last:
            one = found[-1]
            found[-1] = replace(
                one,
                names_job=one.names_job or names_job,
                names_child=one.names_child or names_child,
                of_tick=one.of_tick and of_tick,
            )
            continue
        last = message if row["job"] is not None else ()
        number, _, rest = place.partition(" ")
        piece, _, alike = rest.partition(" ")
        found.append(
            Passing(
                time_ns=row["time_ns"],
                worker=worker,
                # The proxy numbers all connections; where the agent does, each process counts its own.
                connection=row["attempt"] + (0 if roles[row["process"]] == "wire" else PER_PROCESS * (1 + row["process"])),
                is_reply=row["value"] < 0,
                number=int(number),
                piece=int(piece),
                command=history.text(row["task"]),
                alike=alike,
                words=history.text(row["text"]),
                names_job=names_job,
                size_bytes=abs(row["value"]),
                by_agent=roles[row["process"]] != "wire",
                names_child=names_child,
                of_tick=of_tick,
                from_tick_s=_from_s(row["time_ns"], lives),
            )
        )
    return found


def linked(history: History) -> set[int]:
    """The jobs of a chain, group or chord."""
    return set(history.of(Kind.ENQUEUE_LINKED).collect()["job"])


def _sent_by(history: History, role: str) -> set[int]:
    """The jobs that processes of this role sent."""
    senders = [number for number, own in enumerate(history.processes["role"]) if own == role]
    begun = history.of(Kind.ENQUEUE_BEGIN).filter(pl.col("process").is_in(senders))
    return set(begun.collect()["job"])


def _lives(history: History, jobs: Iterable[int]) -> list[tuple[int, int]]:
    """When each of these jobs was first and last heard of."""
    moments = history.events.filter(pl.col("job").is_in(list(jobs))).group_by("job")
    return moments.agg(first=pl.col("time_ns").min(), last=pl.col("time_ns").max()).select("first", "last").rows()


def _from_s(time_ns: int, lives: Iterable[tuple[int, int]]) -> float:
    return min((max(0, first_ns - time_ns, time_ns - last_ns) / 1e9 for first_ns, last_ns in lives), default=math.inf)


def _rows(history: History) -> Iterator[dict[str, int]]:
    events = history.events.filter(pl.col("kind") == int(Kind.BROKER_MESSAGE))
    return events.iter_rows(named=True)


def told(history: History) -> Iterator[str]:
    """The transcript for people: every message and every event, a line each, with seconds from the beginning."""
    first_ns = int(history.events["time_ns"][0]) if len(history) else 0
    names = history.processes["name"].to_list()
    for row in history.events.iter_rows(named=True):
        kind = Kind(row["kind"])
        since_s = (row["time_ns"] - first_ns) / 1e9
        if kind is Kind.BROKER_MESSAGE:
            yield f"{since_s:9.4f}  {'  job' if row['job'] is not None else '     '}  {history.text(row['text'])}"
        elif not kind.name.startswith("RESOURCE_"):
            job = history.job_id(row["job"]) if row["job"] is not None else ""
            words = " ".join(filter(None, [names[row["process"]], job, history.text(row["text"]), history.text(row["group"])]))
            yield f"{since_s:9.4f}  {kind.name_}  {words}"
