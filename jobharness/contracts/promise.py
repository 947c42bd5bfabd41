"""What most contracts are made from: evidence that adds up, and one rule that turns it into a finding.

    History --evidence--> Evidence (+ Evidence of the next part …) --conclude--> Finding

The rule: an offence that was seen is an offence whatever else was not recorded: *broken*. One that is mere absence
(`unseen`: no end was recorded, no completion) may be the recording's fault: where there is such an excuse it is
*unknown*. Without offences it *holds*, unless the run could not see, or had nothing to judge.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import polars as pl

from jobharness.contracts.contract import OFFENDERS, Finding, Word
from jobharness.history.event import Kind
from jobharness.history.frame import History

__all__ = ["Evidence", "Promise", "RunPromise", "blind_spot", "could_not_see", "offences"]

OFFENCES = {**OFFENDERS, "weight": pl.Float64}


def _no_offences() -> pl.DataFrame:
    return pl.DataFrame(schema=OFFENCES)


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a contract saw in a history, or in one part of it. Parts add up.

    `judged`: how many subjects could be judged. `offences`: columns `job`, `row`, `why`, and `weight`, the graver
    the larger. `unseen`: how many of them are mere absence. `counts` are summed over parts, of `most` the largest is
    kept. `sides`: for a contract made of several.
    """

    judged: int
    offences: pl.DataFrame = field(default_factory=_no_offences)
    unseen: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    most: Mapping[str, int] = field(default_factory=dict)
    sides: tuple[Evidence, ...] = ()

    def __add__(self, other: Evidence) -> Evidence:
        return Evidence(
            judged=self.judged + other.judged,
            offences=pl.concat([self.offences, other.offences]),
            unseen=self.unseen + other.unseen,
            counts={name: self.counts.get(name, 0) + other.counts.get(name, 0) for name in {**self.counts, **other.counts}},
            most={name: max(self.most.get(name, 0), other.most.get(name, 0)) for name in {**self.most, **other.most}},
            sides=tuple(mine + theirs for mine, theirs in zip(self.sides, other.sides, strict=True)),
        )

    @property
    def figures(self) -> dict[str, int]:
        """Counts and extremes by name."""
        return {**self.counts, **self.most}

    @property
    def ranked(self) -> pl.DataFrame:
        """The offences, the gravest first, as a Finding has them."""
        order = self.offences.sort(["weight", "job", "row"], descending=[True, False, False], nulls_last=True)
        return order.select(list(OFFENDERS))


def offences(
    why: pl.Expr | str, *, job: npt.ArrayLike | None, weight: npt.ArrayLike, row: npt.ArrayLike | None = None, **shown: Any
) -> pl.DataFrame:
    """A table of offences. `job`, `weight`, `row`: (n,) arrays (or None: no job, no row); `why` is an expression
    over the arrays in `shown`."""
    table = pl.DataFrame({"weight": weight, **shown})
    number = [
        pl.lit(None, pl.UInt32) if values is None else pl.Series(np.asarray(values)).cast(pl.UInt32) for values in (job, row)
    ]
    reason = pl.lit(why) if isinstance(why, str) else why
    return table.select(job=number[0], row=number[1], why=reason, weight=pl.col("weight").cast(pl.Float64))


def blind_spot(history: History, unseen: int) -> str:
    """Why `unseen` events may have happened all the same; "" where they cannot have."""
    if reason := could_not_see(history):
        return reason
    # A record torn by a kill may have been the one that is missing; each torn one can excuse one.
    if 0 < unseen <= int(history.header.get("torn", 0)):
        return "as many records were torn by a kill"
    return ""


def could_not_see(history: History) -> str:
    """Why the run did not see all there was to see; "" where it did."""
    if len(history.columns.rows(Kind.RUN_CUT_SHORT)):
        return "the run was cut short before the queue had drained"
    if history.processes["failed"].any():
        return "a process could not record all its events"
    return ""


class Promise(ABC):
    """A contract whose offences can be told job by job: from the events of one job and those that are about none.

    A kind gives `name`, `promise`, `needs`, `evidence`, and the sentences of the two clear cases.
    """

    name: ClassVar[str]
    needs: frozenset[Kind]
    nothing: ClassVar[str] = "no job was run"

    @property
    @abstractmethod
    def promise(self) -> str:
        """The promise in one sentence."""

    @abstractmethod
    def evidence(self, history: History) -> Evidence:
        """What the events about jobs show."""

    def of_run(self, history: History) -> Evidence | None:
        """What the events about no job show, where the contract asks for it."""
        return None

    @abstractmethod
    def broken(self, figures: Mapping[str, int]) -> str:
        """The sentence of a breach."""

    @abstractmethod
    def kept(self, figures: Mapping[str, int]) -> str:
        """The sentence of a promise kept."""

    def excuse(self, history: History, unseen: int) -> str:
        """Why absences may not be offences; "" where they are."""
        return blind_spot(history, unseen)

    def undecided(self, figures: Mapping[str, int]) -> str:
        """Why there is no verdict although there is no offence; "" where there is one."""
        return ""

    def check(self, history: History) -> Finding:
        """Judge a history; see the module for the rule."""
        evidence = self.evidence(history)
        further = self.of_run(history)
        return self.conclude(evidence if further is None else evidence + further, history)

    def conclude(self, evidence: Evidence, history: History) -> Finding:
        """The finding. Of `history` only what is about no job is read, and its processes and header."""
        figures, count = evidence.figures, evidence.offences.height
        word, sentence = Word.HOLDS, ""
        if count:
            sentence = self.broken(figures)
            excuse = self.excuse(history, evidence.unseen) if evidence.unseen == count else ""
            word, sentence = (Word.UNKNOWN, f"{sentence}, but {excuse}") if excuse else (Word.BROKEN, sentence)
        elif reason := could_not_see(history):
            word, sentence = Word.UNKNOWN, reason
        elif not evidence.judged:
            word, sentence = Word.UNKNOWN, self.nothing
        elif reason := self.undecided(figures):
            word, sentence = Word.UNKNOWN, reason
        return Finding(self.name, word, sentence or self.kept(figures), figures, evidence.ranked)


class RunPromise(Promise):
    """A contract that must see jobs beside each other: each part gives a narrow table, and the tables together are
    weighed.

    `split_by`: a column (u32) of that table; rows that differ in it never need to be weighed together. None: all must be.
    """

    split_by: ClassVar[str | None] = None

    @abstractmethod
    def observe(self, history: History) -> pl.DataFrame:
        """The narrow table of a history or a part of it. Columns `job` and `row`, where it has them, are numbers of
        jobs and events."""

    @abstractmethod
    def weigh(self, observed: pl.DataFrame, history: History) -> Evidence:
        """Judge the tables of all parts, in any order. Of `history` only what is about no job is read."""

    def evidence(self, history: History) -> Evidence:
        """Observe and weigh at once."""
        return self.weigh(self.observe(history), history)
