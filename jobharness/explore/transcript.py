"""What passed between the workers and the broker, read from a History that was recorded with the proxy's transcript on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from jobharness.history.event import Kind
from jobharness.history.frame import History

__all__ = ["Passing", "passings", "told"]


PER_PROCESS = 1_000_000


@dataclass(frozen=True)
class Passing:
    """One message that passed. `number`: of a command, its place in the connection; of a reply, the command's that it answers (0:
    none). `piece`: messages of one write have the same. `alike`: its signature. `names_job`: whether it is about a job.
    `by_agent`: whether it is a statement that the agent saw, and no message.
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


def passings(history: History) -> list[Passing]:
    """The messages of the workers in order; those of producers and others are left out."""
    names, roles = history.processes["name"].to_list(), history.processes["role"].to_list()
    found: list[Passing] = []
    last: tuple[object, ...] = ()
    for row in _rows(history):
        worker = names[row["process"]]
        if not worker.startswith("worker-"):
            continue
        # A message that is about several jobs stands there once for each.
        place = history.text(row["group"])
        message = (worker, row["attempt"], place, row["text"], row["value"])
        if row["job"] is not None and message == last:
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
                names_job=row["job"] is not None,
                size_bytes=abs(row["value"]),
                by_agent=roles[row["process"]] != "wire",
            )
        )
    return found


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
