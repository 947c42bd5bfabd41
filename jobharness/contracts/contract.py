"""The seam: what a contract is, what it finds, and how findings make a verdict.

Four words, ranked: *broken*, *unknown*, *vacuous*, *holds*; the first of these present wins. A contract that
crashes, or a run too weak to tell, is unknown with its reason, never holds. (After jepsen's checker.clj and
porcupine's model.go, which have three; vacuous is ours: a fault that hit nothing proves nothing.)
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Protocol

from jobharness.contracts.agreement import agreed
from jobharness.contracts.finding import OFFENDERS, Finding, Word, no_offenders
from jobharness.history.event import Kind
from jobharness.history.frame import History

__all__ = ["OFFENDERS", "Contract", "Finding", "Verdict", "Word", "judge", "no_offenders"]

THREADS = 2
"""More would need more memory: each contract makes tables of its own."""

EXCUSE = "but the contract does not hold without faults either"


class Contract(Protocol):
    """A promise about a run. `name` reads as a sentence with the word: `no_job_lost: broken`."""

    @property
    def name(self) -> str: ...

    @property
    def promise(self) -> str:
        """The promise in one sentence of the field's standard words."""
        ...

    @property
    def needs(self) -> frozenset[Kind]:
        """The kinds of event without which it cannot be decided; a queue that does not report them is refused it."""
        ...

    def check(self, history: History) -> Finding:
        """Judge a history. Pure; returns *unknown* where the history cannot tell."""
        ...


@dataclass(frozen=True, eq=False)
class Verdict:
    """The findings of a run, the gravest first, and the gravest word among them."""

    findings: tuple[Finding, ...]

    @property
    def word(self) -> Word:
        """The gravest word; *unknown* where there is no finding at all."""
        return min((finding.word for finding in self.findings), default=Word.UNKNOWN)

    def against(self, control: Verdict, run: str) -> Verdict:
        """This verdict in the light of a control run (named `run`): the same without faults.

        Where the control held, nothing changes but for a finding that says so. Otherwise nothing here is *broken* by a
        fault: what is broken becomes *unknown*.
        """
        wrong = [finding for finding in control.findings if finding.word is not Word.HOLDS]
        if not wrong:
            held = Finding("control", Word.HOLDS, f"without faults every contract held (run {run})")
            return Verdict((*self.findings, held))
        named = "; ".join(f"{finding.contract}: {finding.word}: {finding.sentence}" for finding in wrong)
        reason = Finding("control", Word.UNKNOWN, f"broken before any fault (run {run}): {named}")
        return Verdict((reason, *(_excused(finding, EXCUSE) for finding in self.findings)))

    def __getitem__(self, contract: str) -> Finding:
        """The finding of a contract by name. Raises KeyError."""
        for finding in self.findings:
            if finding.contract == contract:
                return finding
        raise KeyError(contract)


def _excused(finding: Finding, why: str) -> Finding:
    """The finding, no longer held against the faults."""
    if finding.word is not Word.BROKEN:
        return finding
    sentence = f"{finding.sentence} ({why})"
    return Finding(finding.contract, Word.UNKNOWN, sentence, finding.counts, finding.offenders)


def judge(history: History, contracts: Iterable[Contract]) -> Verdict:
    """Check every contract. One that crashes is *unknown*, with its traceback as the reason; so is what an aborted run seems to
    break, since it was ended in the middle of things.

    Of a history that was merged from several nodes only what all its worlds agree on is decided, see `contracts.agreement`.
    """
    contracts = list(contracts)
    # Most of it is arithmetic over large arrays, which leaves Python's lock alone. Executions take longest to make, and most who
    # need to know when jobs ran wait for them: they are made first, while the others are judged.
    with ThreadPoolExecutor(THREADS) as pool:
        if any(Kind.JOB_RUNNING in contract.needs for contract in contracts):
            pool.submit(lambda: history.executions)
        checks = {
            number: pool.submit(_check, history, contracts[number])
            for number in sorted(range(len(contracts)), key=lambda number: Kind.JOB_RUNNING in contracts[number].needs)
        }
        findings = [checks[number].result() for number in range(len(contracts))]
    if len(history.columns.rows(Kind.RUN_ABORTED)):
        findings = [_excused(finding, "seen until the run was aborted") for finding in findings]
    return Verdict(tuple(sorted(findings, key=lambda finding: finding.word)))


def _check(history: History, contract: Contract) -> Finding:
    unseen = sorted(kind.name_ for kind in contract.needs & history.unseen)
    if unseen:
        reason = f"nobody could see {', '.join(unseen)}: completions were observed from outside"
        return Finding(contract.name, Word.UNKNOWN, reason, promise=contract.promise)
    try:
        return replace(agreed(history, contract.check), promise=contract.promise)
    except Exception:
        reason = "the contract itself crashed; please report it:\n" + traceback.format_exc(limit=-4)
        return Finding(contract.name, Word.UNKNOWN, reason, promise=contract.promise)
