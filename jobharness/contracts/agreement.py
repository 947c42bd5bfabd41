"""What the worlds of a merged history agree on is decided; the rest is *unknown*.

Two events of different nodes closer than their clocks are known are concurrent, and what a vanished node had to tell last nobody
knows. So a contract is asked in each world that these leave open (see `jobharness.history.worlds`), and no contract need know of
nodes: an offence is one where every world has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import polars as pl

from jobharness.contracts.finding import Finding, Word
from jobharness.history.clocks import Node
from jobharness.history.frame import History
from jobharness.history.worlds import World, other_clocks, silences, without

__all__ = ["agreed"]

Check = Callable[[History], Finding]
UNDECIDED = "undecided"
NOBODY = (None, None)


def agreed(history: History, check: Check) -> Finding:
    """The finding of `check`, as far as all worlds agree: *broken* for what offends in each of them, *unknown* where one differs.

    Cost: one check for each world; a single one for a history whose clocks are exact and whose nodes are whole.
    """
    told = _clocks_agree(history, check, check(history))
    if told.word is not Word.BROKEN:
        return told
    for silence in silences(history):
        told = _meet(told, [_seen_in(without(history, silence.jobs), check)], silence.why)
        if told.word is not Word.BROKEN:
            return told
    return told


def _clocks_agree(history: History, check: Check, told: Finding) -> Finding:
    others = [_seen_in(world, check) for world in other_clocks(history)]
    if not others:
        return told
    return _meet(told, others, f"it hangs on the order of events closer than clocks are known ({_bounds(history.nodes)})")


def _seen_in(world: World, check: Check) -> Finding:
    """What is found in a world, its rows numbered as in the history that was told."""
    finding = check(world.history)
    rows = finding.offenders["row"].cast(pl.UInt32)
    numbers = pl.Series("row", world.rows[rows.fill_null(0).to_numpy()], pl.UInt32).set(rows.is_null(), None)
    return replace(finding, offenders=finding.offenders.with_columns(numbers))


def _offenders(finding: Finding) -> list[tuple[int | None, int | None]]:
    """Who offends in a finding: a job, or where it is about none an event, or nobody in particular."""
    pairs = finding.offenders.select("job", "row").iter_rows()
    return [(job, None if job is not None else row) for job, row in pairs]


def _meet(told: Finding, others: Iterable[Finding], because: str) -> Finding:
    """What all of the findings say."""
    findings = [told, *others]
    broken = [finding for finding in findings if finding.word is Word.BROKEN]
    if not broken:
        return min(findings, key=lambda finding: finding.word)  # The first of the gravest.
    # What breaks a promise need be no job and no event: an alarm that stayed silent.
    offending = [set(_offenders(finding)) or {NOBODY} for finding in broken]
    anywhere, everywhere = set.union(*offending), set.intersection(*offending)
    if len(broken) < len(findings) or not everywhere:
        return _undecided(broken[0], len(anywhere), because)
    kindest = min(findings, key=lambda finding: finding.offenders.height)
    sure = kindest.offenders.filter(pl.Series([offender in everywhere for offender in _offenders(kindest)], dtype=pl.Boolean))
    open_ones = len(anywhere - everywhere)
    if not open_ones:
        return replace(kindest, offenders=sure)
    sentence = f"{kindest.sentence}; of {open_ones} more it is unknown: {because}"
    return replace(kindest, sentence=sentence, counts={**kindest.counts, UNDECIDED: open_ones}, offenders=sure)


def _undecided(broken: Finding, count: int, because: str) -> Finding:
    counts = {**broken.counts, UNDECIDED: count}
    return replace(broken, word=Word.UNKNOWN, sentence=f"{broken.sentence}, but {because}", counts=counts)


def _bounds(nodes: Iterable[Node]) -> str:
    return ", ".join(f"{node.name} ± {node.bound_ns / 1e6:.3g} ms" for node in nodes if node.bound_ns)
