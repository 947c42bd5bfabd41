"""Observed: the run could see. A run that could not is not a pass."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from jobharness.contracts.contract import Finding, Word
from jobharness.contracts.promise import Evidence, Promise
from jobharness.history.clocks import Node
from jobharness.history.event import Kind
from jobharness.history.frame import History

__all__ = ["Observed"]


class Observed(Promise):
    """Every recorder worked, no node vanished, each producer sent its share, a worker became ready, the queue was drained."""

    name = "observed"
    promise = "the run could see everything it judges"
    needs = frozenset((Kind.WORKER_READY,))

    def evidence(self, history: History) -> Evidence:
        """Nothing: it is about the run."""
        return Evidence(0)

    def conclude(self, evidence: Evidence, history: History) -> Finding:
        """Holds or unknown, with every reason; never broken."""
        reasons = self._reasons(history)
        if reasons:
            return Finding(self.name, Word.UNKNOWN, "; ".join(reasons), {"reasons": len(reasons)})
        return Finding(self.name, Word.HOLDS, self.kept({}))

    def broken(self, figures: Mapping[str, int]) -> str:
        """It never is."""
        return ""

    def kept(self, figures: Mapping[str, int]) -> str:
        """What could be seen."""
        return "every process recorded, the plan was sent, the queue was drained"

    def _reasons(self, history: History) -> list[str]:
        reasons, columns = [], history.columns
        failed = history.processes.filter(pl.col("failed"))
        if failed.height:
            named = ", ".join(f"{row['name']} ({row['pid']})" for row in failed.to_dicts())
            reasons.append(f"could not record all events: {named}")
        reasons += [_lost(node) for node in history.nodes if node.vanished]
        reasons += _unsent(history)
        if not len(columns.rows(Kind.WORKER_READY)):
            reasons.append("no worker ever became ready")
        cuts = columns["text"][columns.rows(Kind.RUN_CUT_SHORT)].tolist()
        return reasons + [f"cut short: {history.text(cut)}" for cut in cuts]


def _lost(node: Node) -> str:
    if node.problem:
        return f"nothing counts of what node {node.name} told: {node.problem}"
    return f"node {node.name} vanished: its last events may be missing"


def _unsent(history: History) -> list[str]:
    """Which producers did not send all that they had to. One that was killed and followed by another of its name is one."""
    columns, names = history.columns, history.processes["name"]

    def said(kind: Kind) -> set[str]:
        return {str(names[process]) for process in columns["process"][columns.rows(kind)].tolist()}

    done, missing = said(Kind.PRODUCER_DONE), sorted(said(Kind.PRODUCER_READY) - said(Kind.PRODUCER_DONE))
    if not done:
        return ["the producer did not send its whole plan"]
    if not missing:
        return []
    what = (
        "vanished before it had sent its share of the plan" if len(missing) == 1 else "vanished before they had sent their shares"
    )
    return [f"{', '.join(missing)} {what}: of the jobs that were not acknowledged nothing is known"]
