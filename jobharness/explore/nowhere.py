"""What a broker's data say of a job: the proof that it is lost, so that nobody need be waited for who would bring it back.

A job comes back from what its broker stores, or from a process that has it in memory. Where every process that was given it is
dead, nothing of theirs is on its way any more, and nothing that the broker stores names it, nobody can bring it back. That the
broker's data would name it is seen by another job: sent in the same way, while no worker lives, it must be named there.
"""

from __future__ import annotations

from collections.abc import Sequence

from jobharness.agent.spelling import spellings
from jobharness.brokers.abilities import CanBeRead
from jobharness.brokers.broker import Broker
from jobharness.errors import BrokerFailed

__all__ = ["named"]

SHORT = 8


def named(broker: Broker, job_ids: Sequence[str]) -> list[bool] | None:
    """Of each job, whether anything that the broker stores names it, all in one reading. None where that cannot be told: a broker
    that cannot be read, an id so short that it may stand somewhere by chance."""
    if not isinstance(broker, CanBeRead) or any(len(job_id) < SHORT for job_id in job_ids):
        return None
    try:
        pieces = list(broker.stored())
    except BrokerFailed:
        return None
    return [any(name in piece for name in spellings(job_id) for piece in pieces) for job_id in job_ids]
