"""The smallest lease that is safe for the run times that were measured. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from jobharness.explore.ownership import Answer
from jobharness.history.event import Kind
from jobharness.history.frame import History
from jobharness.queues.queue import LeaseTerms

__all__ = ["SafeLease", "Times", "safe_lease", "seconds_of", "times_of"]

RENEWALS = 2  # A lease that is renewed must bear that one renewal is missed.


@dataclass(frozen=True)
class Times:
    """How long jobs were in their workers' hands, from taking them to settling them. `source`: where that was measured."""

    count: int
    longest_s: float
    p99_s: float
    source: str

    @property
    def words(self) -> str:
        """For people."""
        return f"the longest of {self.count} in {self.source} took {_told(self.longest_s)}"


@dataclass(frozen=True)
class SafeLease:
    """What a proof comes to. `least_s`: how long the lease must last at least, None: no run needs any; `now_s`: how long it
    lasts, inf: for ever; `sentence`: for people, with the setting; `further`: what else must hold, in words; `known`: False where
    nobody can tell."""

    least_s: float | None
    now_s: float
    sentence: str
    further: tuple[str, ...] = ()
    known: bool = True

    @property
    def too_short(self) -> bool:
        """Whether the lease that the app has is shorter than the smallest safe one."""
        return self.least_s is not None and self.now_s < self.least_s

    def plain(self) -> dict[str, Any]:
        """As JSON: null for ever."""
        now_s = None if math.isinf(self.now_s) else self.now_s
        return {**asdict(self), "now_s": now_s, "too_short": self.too_short}


def seconds_of(history: History, task: str) -> list[float]:
    """How long each job of the task was held: from being taken, where the library says when that was, else from its beginning, to
    being settled, else to its end. Jobs that ran more than once are left out: their times are not one owner's."""
    tally, found = history.tally, []
    begins, ends = _firsts(history, Kind.JOB_RECEIVED, Kind.JOB_RUNNING), _firsts(history, Kind.JOB_SETTLED, Kind.JOB_FINISHED)
    runs = tally.count(Kind.JOB_RUNNING)
    for job in np.flatnonzero((runs == 1) & tally.has(Kind.JOB_FINISHED)):
        if int(job) in begins and int(job) in ends and (not task or history.task_of(int(job)) == task):
            # Acknowledged first, as some do, it is held no less long while it runs.
            found.append(max(0.0, (ends[int(job)] - begins[int(job)]) / 1e9))
    return found


def _firsts(history: History, kind: Kind, other: Kind) -> dict[int, int]:
    """When each job had an event of the kind, or else of the other, ns."""
    found: dict[int, int] = {}
    for one in (other, kind):
        rows = history.of(one).select("job", "time_ns").drop_nulls().collect()
        found.update(zip(rows["job"].to_list(), rows["time_ns"].to_list(), strict=True))
    return found


def times_of(seconds: Sequence[float], source: str) -> Times | None:
    """None of none."""
    if not seconds:
        return None
    return Times(len(seconds), max(seconds), float(np.percentile(seconds, 99)), source)


def safe_lease(terms: LeaseTerms | None, times: Times | None, safety: float, slow: Answer, blocked: Answer) -> SafeLease:
    """`terms`: as the app has it, not shortened; `slow`, `blocked`: whether a slow run had two owners, and one that blocks its
    process. What was seen decides, not what the library says of itself."""
    if terms is None:
        return SafeLease(None, math.inf, "how long a lease lasts is not known here; lease.lasts says it", known=False)
    further = tuple(_limits(terms, times, safety))
    if math.isinf(terms.lasts_s):
        return SafeLease(None, math.inf, f"there is no lease: {terms.words}", further)
    if slow is Answer.UNKNOWN:
        return SafeLease(None, terms.lasts_s, "whether a lease is renewed while a job runs could not be told", further, False)
    if slow is Answer.YES or terms.renewed_s is None:
        if slow is not Answer.YES and terms.limit is None:
            further = (*further, "though a run that outlasted its lease had no second owner, so that something may renew it")
        return _by_runs(terms, times, safety, further)
    return _by_renewals(terms, times, safety, blocked, further)


def _by_runs(terms: LeaseTerms, times: Times | None, safety: float, further: tuple[str, ...]) -> SafeLease:
    if times is None:
        return SafeLease(None, terms.lasts_s, "no run time was measured", further, False)
    least_s = _rounded_up(times.longest_s) * safety
    return SafeLease(least_s, terms.lasts_s, f"{_setting(terms, least_s)}: {times.words}, {_factor(safety)}", further)


def _by_renewals(terms: LeaseTerms, times: Times | None, safety: float, blocked: Answer, further: tuple[str, ...]) -> SafeLease:
    assert terms.renewed_s is not None
    if blocked is Answer.UNKNOWN:
        why = "whether a run that blocks its process keeps its lease could not be told"
        return SafeLease(None, terms.lasts_s, why, further, False)
    if blocked is Answer.YES and times is None:
        return SafeLease(None, terms.lasts_s, "no run time was measured", further, False)
    if terms.scales and blocked is not Answer.YES:
        often = f"any is long enough for its runs: while the job runs it is renewed every {_told(terms.renewed_s)}"
        return SafeLease(None, terms.lasts_s, f"{often}, and more often where it is shorter", (_borne(terms), *further))
    least_s = terms.renewed_s * RENEWALS if not terms.scales else 0.0
    why = f"it is renewed every {_told(terms.renewed_s)} while the job runs, and one renewal may be missed"
    if blocked is Answer.YES and times is not None and _rounded_up(times.longest_s) * safety > least_s:
        least_s = _rounded_up(times.longest_s) * safety
        why = f"a run that blocks its process is not renewed, and {times.words}, {_factor(safety)}"
    return SafeLease(least_s, terms.lasts_s, f"{_setting(terms, least_s)}: {why}", (_borne(terms), *further))


def _borne(terms: LeaseTerms) -> str:
    assert terms.renewed_s is not None
    return f"as it is, a pause of up to {_told(max(0.0, terms.lasts_s - terms.renewed_s))} is borne"


def _limits(terms: LeaseTerms, times: Times | None, safety: float) -> list[str]:
    """What ends a run, however alive its worker is, must leave it the time it needs."""
    limit = terms.limit
    if limit is None or times is None:
        return []
    least_s = _rounded_up(times.longest_s) * safety
    verdict = "which it is" if limit.lasts_s >= least_s else f"and it is {_value(limit.lasts_s, limit.unit_s)}"
    return [f"{limit.setting} >= {_value(least_s, limit.unit_s)}, {verdict}: {times.words}, {_factor(safety)}"]


def _setting(terms: LeaseTerms, least_s: float) -> str:
    """Such as "visibility_timeout >= 41 s", in the setting's own unit where that is another."""
    least = max(0.0, least_s - terms.spare_s)
    return f"{terms.setting or 'the lease'} >= {_value(least, terms.unit_s)}"


def _value(seconds: float, unit_s: float) -> str:
    if unit_s == 1.0:
        return _told(seconds)
    return f"{_rounded_up(seconds) / unit_s:.0f} ({_told(seconds)})"


def _told(seconds: float) -> str:
    return "for ever" if math.isinf(seconds) else f"{_rounded_up(seconds):.4g} s"


def _rounded_up(seconds: float) -> float:
    """A least value is never rounded down: to whole seconds, below ten of them to tenths."""
    return float(math.ceil(seconds)) if seconds >= 10 else math.ceil(seconds * 10) / 10


def _factor(safety: float) -> str:
    return "doubled" if safety == 2 else f"times {safety:g}" if safety != 1 else "as it is"
