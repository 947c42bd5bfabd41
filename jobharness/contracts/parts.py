"""Judges a History piece by piece: the same findings as at once, in the memory of one part.

part --evidence--> Evidence + Evidence + … --conclude--> Finding        (promises about each job)
part --observe---> narrow table, kept by `Shelf` --weigh--> Evidence …  (promises that set jobs beside each other)
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

import polars as pl

from jobharness.contracts.contract import Finding, Verdict, Word
from jobharness.contracts.promise import Evidence, Promise, RunPromise
from jobharness.history.parts import Part

__all__ = ["SEEN_WHOLE", "Shelf", "judge_parts"]


class Shelf(Protocol):
    """Keeps narrow tables apart from memory, by name."""

    def put(self, name: str, table: pl.DataFrame) -> None:
        """Keep a table beside those of the same name."""
        ...

    def take(self, name: str) -> pl.DataFrame:
        """All tables of that name as one; gone afterwards."""
        ...

    def names(self, prefix: str) -> Sequence[str]:
        """The names that begin so."""
        ...


SPLITS = 8
SEEN_WHOLE = "the history of several nodes, of which some things are open, is not judged in parts: load it whole"


def judge_parts(run: Part, parts: Iterable[Part], contracts: Sequence[Promise], shelf: Shelf) -> Verdict:
    """The verdict on a History in parts. `run`: the events that are about no job. One contract that crashes is
    *unknown*; so are all, where several nodes told the history and it must be seen whole to know what is open.
    """
    if run.history.unseen or not run.history.clocks.exact or any(node.vanished for node in run.history.nodes):
        return Verdict(tuple(Finding(one.name, Word.UNKNOWN, SEEN_WHOLE, promise=one.promise) for one in contracts))
    sums: dict[int, Evidence] = {}
    failures: dict[int, str] = {}
    for part in parts:
        for number, contract in enumerate(contracts):
            if number in failures:
                continue
            try:
                if isinstance(contract, RunPromise):
                    _shelve(shelf, f"{number}.", part.whole(contract.observe(part.history)), contract.split_by)
                else:
                    found = _whole(contract.evidence(part.history), part)
                    sums[number] = sums[number] + found if number in sums else found
            except Exception:
                failures[number] = traceback.format_exc(limit=-4)
    findings = []
    for number, contract in enumerate(contracts):
        try:
            if number in failures:
                raise RuntimeError(failures[number])
            findings.append(_conclude(contract, sums.get(number), run, shelf, f"{number}."))
        except Exception as error:
            findings.append(Finding(contract.name, Word.UNKNOWN, f"the contract itself crashed; please report it:\n{error}"))
    named = [replace(finding, promise=contract.promise) for finding, contract in zip(findings, contracts, strict=True)]
    return Verdict(tuple(sorted(named, key=lambda finding: finding.word)))


def _conclude(contract: Promise, evidence: Evidence | None, run: Part, shelf: Shelf, prefix: str) -> Finding:
    if isinstance(contract, RunPromise):
        for table in _shelved(shelf, prefix, contract, run):
            weighed = contract.weigh(table, run.history)
            # Rows beside a job come from the parts, the others from the events about no job.
            of_run = weighed.offences["job"].is_null()
            rows = pl.concat([weighed.offences.filter(~of_run), run.whole(weighed.offences.filter(of_run))])
            weighed = replace(weighed, offences=rows)
            evidence = weighed if evidence is None else evidence + weighed
    evidence = contract.evidence(run.history) if evidence is None else evidence
    further = contract.of_run(run.history)
    if further is not None:
        evidence = evidence + replace(further, offences=run.whole(further.offences))
    return contract.conclude(evidence, run.history)


def _whole(evidence: Evidence, part: Part) -> Evidence:
    sides = tuple(_whole(side, part) for side in evidence.sides)
    return replace(evidence, offences=part.whole(evidence.offences), sides=sides)


def _shelve(shelf: Shelf, prefix: str, table: pl.DataFrame, split_by: str | None) -> None:
    if split_by is None:
        shelf.put(prefix, table)
        return
    for (split,), some in table.group_by(pl.col(split_by) % SPLITS):
        shelf.put(f"{prefix}{split}", some)


def _shelved(shelf: Shelf, prefix: str, contract: RunPromise, run: Part) -> Iterator[pl.DataFrame]:
    names = shelf.names(prefix)
    if not names:
        yield contract.observe(run.history)
    for name in names:
        yield shelf.take(name)
