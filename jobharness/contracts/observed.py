"""Observed: the run could see. A run that could not is not a pass."""

from __future__ import annotations

import polars as pl

from jobharness.contracts.contract import Finding, Word
from jobharness.history.event import Kind
from jobharness.history.frame import History

__all__ = ["Observed"]


class Observed:
    """Every recorder worked, the producer sent its whole plan, a worker became ready, and the queue was drained."""

    name = "observed"
    promise = "the run could see everything it judges"
    needs = frozenset((Kind.WORKER_READY,))

    def check(self, history: History) -> Finding:
        """Holds or unknown, with every reason; never broken."""
        reasons = list(self._reasons(history))
        if reasons:
            return Finding(self.name, Word.UNKNOWN, "; ".join(reasons), {"reasons": len(reasons)})
        return Finding(self.name, Word.HOLDS, "every process recorded, the plan was sent, the queue was drained")

    def _reasons(self, history: History) -> list[str]:
        reasons = []
        failed = history.processes.filter(pl.col("failed"))
        if failed.height:
            named = ", ".join(f"{row['name']} ({row['pid']})" for row in failed.to_dicts())
            reasons.append(f"could not record all events: {named}")
        present = set(history.events["kind"].unique().to_list())
        if Kind.PRODUCER_DONE not in present:
            reasons.append("the producer did not send its whole plan")
        if Kind.WORKER_READY not in present:
            reasons.append("no worker ever became ready")
        for cut in history.of(Kind.RUN_CUT_SHORT).collect().iter_rows(named=True):
            reasons.append(f"cut short: {history.text(cut['text'])}")
        return reasons
