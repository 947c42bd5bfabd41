"""How long the library's own recovery may take, how long it was waited for, and what was seen of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobharness.explore.outcome import Lease, Outcome
from jobharness.queues.queue import App, Queue, RestsOnClocks, TellsRecovery

__all__ = ["Recovery", "bound_of", "flat", "passed_of"]

WITHOUT_BOUND_S = 4.0


def bound_of(queue: Queue, broker: str, app: App) -> float | None:
    """What the adapter computes from the live settings; infinite: nothing ever brings a job back, None: it does not know."""
    return queue.recovers_within_s(broker, app) if isinstance(queue, TellsRecovery) else None


def passed_of(queue: Queue, broker: str, app: App) -> tuple[float, ...]:
    """The periods of it that are over when the workers' clocks are put forward, by the live settings, in s."""
    return tuple(queue.passable_s(broker, app)) if isinstance(queue, RestsOnClocks) else ()


@dataclass(frozen=True)
class Recovery:
    """Recovery in one map. `bound_s`: what `bound_of` says, leases shortened; `said_s`: what the scenario says; `promised_s`:
    what its contract allows; `passed_s`: the periods of the bound that are passed by the workers' clocks, in their order."""

    library: str
    bound_s: float | None
    said_s: float | None = None
    promised_s: float | None = None
    lease: Lease | None = None
    passed_s: tuple[float, ...] = ()

    @property
    def waited_s(self) -> float:
        """How long it is waited for, at most: as the scenario says, the adapter computes (less what is passed, after each period
        anew), or the contract allows."""
        if self.said_s is not None:
            return self.said_s
        if self.bound_s is not None and math.isfinite(self.bound_s):
            return self.bound_s - sum(self.passed_s)
        return max(WITHOUT_BOUND_S, self.promised_s or 0.0)

    def words(self, outcomes: Sequence[Outcome]) -> Iterator[str]:
        """For people: the bound, beside what was seen."""
        seen_s = _slowest(outcomes)
        seen = f"the slowest that was seen took {seen_s:.1f} s" if seen_s is not None else "none was seen"
        if self.bound_s is None:
            yield f"how long {self.library} may take to recover is not known here (crashmap.recovery sets it): {seen}"
        elif math.isinf(self.bound_s):
            yield f"nothing of {self.library}'s own brings a job back that a dead worker had taken: {seen}"
        else:
            yield f"{self.library}'s own recovery may take up to {self.bound_s:.3g} s here: {seen}"
        if self.passed_s:
            periods = ", then ".join(f"{period:.3g} s" for period in self.passed_s)
            yield f"of it {periods} were passed by the workers' clocks, put forward once nothing moved for {self.waited_s:.3g} s"
            yield "what was not back after that is called stuck, or lost; passed time counts as time"
        else:
            yield f"recovery was waited for up to {self.waited_s:.3g} s; what was not back by then is called stuck, or lost"
        if self.lease is not None:
            changed = ", ".join(f"{name} = {value}" for name, value in flat(self.lease.settings))
            here = f"what takes up to {self.lease.real_s:.4g} s takes {self.lease.shortened_s:.3g} s here"
            yield f"leases are shortened ({changed}): {here}"

    def plain(self, outcomes: Sequence[Outcome]) -> dict[str, Any]:
        """As JSON. `bound_s`: null where it is not known, or `never`; `configured_s`: without shortened leases."""
        never = self.bound_s is not None and math.isinf(self.bound_s)
        return {
            "bound_s": None if never else self.bound_s,
            "never": never,
            "configured_s": self.lease.real_s if self.lease is not None and math.isfinite(self.lease.real_s) else None,
            "said_s": self.said_s,
            "waited_s": self.waited_s,
            "passed_s": list(self.passed_s),
            "seen_s": _slowest(outcomes),
        }


def _slowest(outcomes: Sequence[Outcome]) -> float | None:
    return max((one.back_s for one in outcomes if one.back_s is not None), default=None)


def flat(settings: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Settings with the entries of those that are tables, by their own names."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from flat(value)
        else:
            yield name, value
