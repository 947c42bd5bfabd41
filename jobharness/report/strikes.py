"""Each strike of a fault: when, whom, which jobs it found in flight, and what became of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from jobharness.clock import NS_PER_S
from jobharness.history.event import Dead, Kind
from jobharness.history.frame import History
from jobharness.report.words import duration

__all__ = ["Hit", "Strike", "strikes_of"]

MOST_JOBS = 50
"""Jobs listed per strike; the others are counted."""


@dataclass(frozen=True)
class Hit:
    """A job that was in flight where the fault struck. `fate`: completed, dead, stuck or lost; `after_s`: how long until then."""

    job: int
    job_id: str
    task: str
    fate: str
    after_s: float | None

    @property
    def sentence(self) -> str:
        """What became of it."""
        return {
            "completed": f"completed {duration(self.after_s)} after the strike",
            "dead": f"ended by its own exception {duration(self.after_s)} after the strike",
            "earlier": "had been completed before the strike",
            "stuck": "stuck: the broker still held it at the end",
            "lost": "lost: never completed",
        }[self.fate]


@dataclass(frozen=True)
class Strike:
    """One strike. `number`: from 1, in the order of time, over all faults. `end_ns`: when it was healed, None where it never was.

    `victims`: the processes struck. `fates`: how many jobs met which fate. `hits`: the first jobs, each with its fate.
    """

    number: int
    label: str
    time_ns: int
    end_ns: int | None
    victims: tuple[str, ...]
    fates: Mapping[str, int]
    hits: tuple[Hit, ...]

    @property
    def jobs(self) -> int:
        """How many jobs it hit."""
        return sum(self.fates.values())

    @property
    def fault(self) -> str:
        """The kind of fault: `kill#2` as `kill`."""
        return self.label.partition("#")[0]


def strikes_of(history: History) -> list[Strike]:
    """Every strike, in the order of time. Cost: a few passes over the events, however many strikes there are."""
    begun = history.of(Kind.FAULT_BEGIN).sort("row").collect().with_row_index("strike")
    if not begun.height:
        return []
    hits = _tied(history, begun, Kind.FAULT_HIT)
    ends = _tied(history, begun, Kind.FAULT_END).group_by("strike").agg(pl.col("time_ns").min())
    ended = dict(zip(ends["strike"], ends["time_ns"], strict=True))
    fates = _fates(history, hits).partition_by("strike", as_dict=True)
    victims = _victims(history, hits)
    return [
        _strike(history, event, ended.get(event["strike"]), victims.get(event["strike"], ()), fates.get((event["strike"],)))
        for event in begun.iter_rows(named=True)
    ]


def _tied(history: History, begun: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Events of a kind, each with the `strike` of its label that came last before it."""
    starts = begun.select("strike", "text", "row").sort("row")
    found = history.of(kind).sort("row").collect()
    return found.join_asof(starts, on="row", by="text", strategy="backward", check_sortedness=False).drop_nulls("strike")


def _fates(history: History, hits: pl.DataFrame) -> pl.DataFrame:
    """One row per job that a strike hit, since its first hit: `strike`, `job`, `task` (row of texts), `fate`, `took_ns`."""
    for_good = (pl.col("kind") == int(Kind.JOB_DEAD)) & (pl.col("value") != int(Dead.WORKER_LOST))
    ends = (
        history.rows.filter((pl.col("kind") == int(Kind.JOB_FINISHED)) | for_good)
        .select("job", "time_ns", end_ns="time_ns", end_kind="kind")
        .sort("time_ns")
        .collect()
    )
    first = hits.drop_nulls("job").sort("time_ns").unique(["strike", "job"], keep="first", maintain_order=True)
    after = first.join_asof(ends, on="time_ns", by="job", strategy="forward", check_sortedness=False)
    known = history.lives.select("job", "finished", "held", about="task")
    fate = (
        pl.when(pl.col("end_kind") == int(Kind.JOB_FINISHED)).then(pl.lit("completed"))
        .when(pl.col("end_kind").is_not_null()).then(pl.lit("dead"))
        .when(pl.col("finished") > 0).then(pl.lit("earlier"))
        .when(pl.col("held") > 0).then(pl.lit("stuck"))
        .otherwise(pl.lit("lost"))
    )  # fmt: skip
    joined = after.join(known, on="job", how="left")
    return joined.select("strike", "job", task="about", fate=fate, took_ns=pl.col("end_ns") - pl.col("time_ns")).sort(
        "strike", maintain_order=True
    )


def _victims(history: History, hits: pl.DataFrame) -> dict[int, tuple[str, ...]]:
    """The processes that each strike struck, by name and process id."""
    names = dict(zip(history.processes["pid"], history.processes["name"], strict=True))
    found: dict[int, dict[str, None]] = {}
    for strike, pid in hits.select("strike", "value").unique(maintain_order=True).iter_rows():
        found.setdefault(strike, {})[f"{names.get(pid, 'a process')} (pid {pid})"] = None
    return {strike: tuple(words) for strike, words in found.items()}


def _strike(
    history: History, event: Mapping[str, int], end_ns: int | None, victims: tuple[str, ...], fates: pl.DataFrame | None
) -> Strike:
    rows = fates.select("job", "task", "fate", "took_ns").rows() if fates is not None else []
    worst_first = sorted(rows, key=lambda row: _GRAVITY.index(row[2]))
    return Strike(
        number=event["strike"] + 1,
        label=history.text(event["text"]),
        time_ns=event["time_ns"],
        end_ns=end_ns,
        victims=victims,
        fates=Counter(fate for _, _, fate, _ in worst_first),
        hits=tuple(
            Hit(job, history.job_id(job), history.text(task), fate, took_ns / NS_PER_S if took_ns is not None else None)
            for job, task, fate, took_ns in worst_first[:MOST_JOBS]
        ),
    )


_GRAVITY = ("lost", "stuck", "dead", "completed", "earlier")
