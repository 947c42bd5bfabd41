"""No phantoms: every job that is received or run was once enqueued."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from jobharness.contracts.promise import Evidence, Promise, offences
from jobharness.history.event import Kind
from jobharness.history.frame import History

__all__ = ["NoPhantoms"]

ENQUEUES = (Kind.ENQUEUE_BEGIN, Kind.ENQUEUE_ACKNOWLEDGED, Kind.ENQUEUE_INTENDED, Kind.ENQUEUE_UNKNOWN, Kind.SCHEDULE_TICK)


class NoPhantoms(Promise):
    """No job runs that no process of the run ever began to enqueue. Needs: recorders of all enqueuing processes
    alive."""

    name = "no_phantoms"
    promise = "no job runs that was never enqueued"
    needs = frozenset((Kind.ENQUEUE_BEGIN, Kind.JOB_RUNNING))
    nothing = "no job reached a worker"

    def evidence(self, history: History) -> Evidence:
        """The phantoms, in the order in which they came."""
        tally = history.tally
        seen = tally.has(Kind.JOB_RECEIVED, Kind.JOB_RUNNING)
        phantoms = np.flatnonzero(seen & ~tally.has(*ENQUEUES))
        found = offences("no process began to enqueue it", job=phantoms, weight=np.zeros(len(phantoms)))
        return Evidence(int(seen.sum()), found, len(phantoms), {"seen": int(seen.sum()), "phantoms": len(phantoms)})

    def excuse(self, history: History, unseen: int) -> str:
        """A recorder that failed may have been the enqueuing one's; that the run was cut short excuses nothing."""
        if history.processes["failed"].any():
            return "a process could not record all its events"
        return "as many records were torn by a kill" if unseen <= int(history.header.get("torn", 0)) else ""

    def broken(self, figures: Mapping[str, int]) -> str:
        """How many came from nowhere."""
        return f"{figures['phantoms']} jobs reached a worker that nobody enqueued"

    def kept(self, figures: Mapping[str, int]) -> str:
        """How many were seen."""
        return f"all {figures['seen']} jobs seen by workers were enqueued"
