"""Proof that a job is lost, so that nobody need be waited for who would bring it back.

A job comes back from what its broker stores, or from a process that has it in memory. Where every process that was given it is
dead, nothing of theirs is on its way any more, and nothing that the broker stores names it, nobody can bring it back. That the
broker's data would name it is seen by another job: sent in the same way, while no worker lives, it must be named there.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

from jobharness.agent.statements import in_base64
from jobharness.brokers.abilities import CanBeRead
from jobharness.brokers.broker import Broker
from jobharness.errors import BrokerFailed

__all__ = ["may_name", "spellings"]

SHORT = 8


def may_name(broker: Broker, job_id: str) -> bool:
    """Whether anything that the broker stores names the job. True also where that cannot be told: a broker that cannot be read,
    an id so short that it may stand somewhere by chance."""
    if not isinstance(broker, CanBeRead) or len(job_id) < SHORT:
        return True
    names = spellings(job_id)
    try:
        return any(name in piece for piece in broker.stored() for name in names)
    except BrokerFailed:
        return True


def spellings(job_id: str) -> Sequence[bytes]:
    """How a job's id may stand in data: as it is, a UUID also without dashes and as its 16 bytes, and each of these in base64."""
    found = [job_id.encode()]
    with suppress(ValueError):
        found += [UUID(job_id).hex.encode(), str(UUID(job_id)).encode(), UUID(job_id).bytes]
    return [*found, *(spelt for one in found for spelt in in_base64(one))]
