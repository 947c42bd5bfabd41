"""What was seen of a subject: everything that the checks judge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jobharness.conformance.subject import Subject
from jobharness.history.event import Kind
from jobharness.history.frame import History
from jobharness.queues.queue import App, Counts, Held

__all__ = ["Evidence", "Snapshot"]


@dataclass(frozen=True)
class Snapshot:
    """What the adapter said of the broker at a moment at which the truth was known.

    `waiting`, `delayed`, `dead`: how many jobs there really were; `dead_listed` is None where the adapter does not list them.
    """

    when: str
    counts: Counts
    held: tuple[Held, ...]
    dead_listed: tuple[Held, ...] | None
    waiting: int
    delayed: int
    dead: int


@dataclass(frozen=True, eq=False)
class Evidence:
    """What one observation of a subject gave.

    `reports`: the kinds of event that the adapter declares, less those that the live app's version cannot report; `sent`: how
    many jobs of each outcome; `early`: workers that called themselves ready while the broker answered nobody, None where the
    broker cannot be paused; `leftovers`: commands that still ran after the stop; `killed`: workers that had to be killed to
    stop; `tested`: versions of library and broker, for people.
    """

    subject: Subject
    app: App
    tested: str
    history: History
    reports: frozenset[Kind]
    sent: Mapping[str, int]
    snapshots: tuple[Snapshot, ...]
    early: tuple[str, ...] | None
    leftovers: tuple[str, ...]
    killed: tuple[str, ...]
