"""The lease proof as a value: for each kind of job what every schedule came to, and the smallest safe lease. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from jobharness.explore.outcome import Lease
from jobharness.explore.ownership import Answer, Ownership, Schedule
from jobharness.explore.safe_lease import SafeLease, Times
from jobharness.queues.queue import LeaseTerms

__all__ = ["FILE", "KindProof", "LeaseProof"]

SCHEMA = 1
FILE = "leaseproof.json"
STALE, SHORT = "stale", "short"


@dataclass(frozen=True)
class KindProof:
    """One kind of job. `played`: what each schedule came to; `trials`: the folders of the trials that show it, in `trials/`."""

    task: str
    played: tuple[Ownership, ...]
    trials: tuple[str, ...]
    times: Times | None
    safe: SafeLease

    def answer(self, schedule: Schedule) -> Answer:
        """Whether the job had two owners in it; unknown where it was not played."""
        return next((one.two_owners for one in self.played if one.schedule is schedule), Answer.UNKNOWN)

    @property
    def clock(self) -> str:
        """Whose clock the lease rests on, in words."""
        if not self.played[0].kept:
            return "nothing: it is acknowledged before it runs"
        ahead, behind = self.answer(Schedule.AHEAD), self.answer(Schedule.BEHIND)
        if Answer.UNKNOWN in (ahead, behind) and Answer.YES not in (ahead, behind):
            return "not known"
        if ahead is Answer.YES and behind is Answer.YES:
            return "the workers' clocks, one against the other"
        if ahead is Answer.YES:
            return "the clock of the worker that looks"
        return "the owner's clock" if behind is Answer.YES else "no worker's clock"

    def found(self, forbidden: Sequence[str]) -> Iterator[str]:
        """What was found of what is forbidden, in words."""
        if SHORT in forbidden and self.safe.too_short:
            yield f"the lease lasts {self.safe.now_s:.4g} s, which is too short: {self.safe.sentence}"
        stale = [str(one.schedule) for one in self.played if one.stale_settled is Answer.YES]
        if STALE in forbidden and stale:
            yield f"a stale owner settles the job while another runs it ({', '.join(stale)})"
        for one in self.played:
            if one.schedule.short in forbidden and one.two_owners is Answer.YES:
                yield f"two live owners by {one.schedule}: {one.why}"

    def untold(self, forbidden: Sequence[str]) -> Iterator[str]:
        """What could not be told, and would have to be."""
        for one in self.played:
            wanted = STALE in forbidden or one.schedule.short in forbidden
            if wanted and one.undecided:
                yield f"{one.schedule}: {one.why}"
        if SHORT in forbidden and not self.safe.known:
            yield self.safe.sentence


@dataclass(frozen=True)
class LeaseProof:
    """Everything a proof says. `terms`: of the lease as the app has it; `shortened`: how it was for the trials, None where it was
    not; `forbidden`: what must not be found; `about`: as `run.json` has it."""

    title: str
    folder: Path
    kinds: tuple[KindProof, ...]
    terms: LeaseTerms | None
    shortened: Lease | None
    forbidden: tuple[str, ...]
    took_s: float = 0.0
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """`broken`, `unknown` or `holds`, the first of these that is true."""
        if any(True for kind in self.kinds for _ in kind.found(self.forbidden)):
            return "broken"
        return "unknown" if any(True for kind in self.kinds for _ in kind.untold(self.forbidden)) else "holds"

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "schema": SCHEMA,
            "title": self.title,
            "verdict": self.verdict,
            "forbidden": list(self.forbidden),
            "lease": _finite(asdict(self.terms)) if self.terms is not None else None,
            "shortened": _finite(asdict(self.shortened)) if self.shortened is not None else None,
            "kinds": [self._kind(kind) for kind in self.kinds],
            "took_s": round(self.took_s, 2),
            "about": dict(self.about),
        }

    def _kind(self, kind: KindProof) -> dict[str, Any]:
        played = [{**one.plain(), "trial": trial} for one, trial in zip(kind.played, kind.trials, strict=True)]
        return {
            "task": kind.task,
            "found": list(kind.found(self.forbidden)),
            "untold": list(kind.untold(self.forbidden)),
            "rests_on": kind.clock,
            "schedules": played,
            "times": asdict(kind.times) if kind.times is not None else None,
            "safe_lease": kind.safe.plain(),
        }

    def save(self) -> None:
        """Keep it in its folder."""
        text = json.dumps(self.plain(), indent=1, ensure_ascii=False, default=str)
        (self.folder / FILE).write_text(text + "\n", encoding="utf-8")


def _finite(plain: Mapping[str, Any]) -> dict[str, Any]:
    """JSON knows no infinity: null is for ever."""
    return {
        name: _finite(value) if isinstance(value, Mapping) else None if value == float("inf") else value
        for name, value in plain.items()
    }
