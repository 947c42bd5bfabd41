"""When a fault strikes: a moment, a period, or an event of the history.

`at` is one moment; `every` a period; `on` the first fitting event, again after each heal, and not sooner than
`every` after the strike before.
"""

from __future__ import annotations

from collections.abc import Sequence

from jobharness.clock import NS_PER_S
from jobharness.errors import InvalidRequest, nearest
from jobharness.history.event import Kind
from jobharness.history.follow import News
from jobharness.scenario.model import FaultSpec

__all__ = ["Trigger"]


class Trigger:
    """Decides for one fault. Pure but for its own memory of what it has seen; all times in ns.

    Raises: InvalidRequest for an event that does not exist.
    """

    def __init__(self, spec: FaultSpec) -> None:
        self._spec = spec
        self._on = _kind(spec.on) if spec.on is not None else None
        self._strikes = 0
        self._not_before_ns = 0
        self._armed: tuple[int, News | None] | None = None
        self._start_ns: int | None = None

    @property
    def strikes(self) -> int:
        """How often it has struck."""
        return self._strikes

    @property
    def exhausted(self) -> bool:
        """Whether it will never strike again."""
        return self._strikes >= self._spec.times

    def start(self, now_ns: int) -> None:
        """The first arrival was at `now_ns`; moments count from there."""
        self._start_ns = now_ns
        if self._on is None:
            first_s = self._spec.at if self._spec.at is not None else (self._spec.every or 0.0)
            self._armed = (self._ns(first_s + self._spec.delay) + now_ns, None)

    def see(self, news: Sequence[News]) -> None:
        """Look at events as they arrive, in order."""
        if self._on is None or self._start_ns is None or self._armed is not None or self.exhausted:
            return
        for one in news:
            if one.kind is self._on and one.time_ns >= self._not_before_ns and self._spec.task in (None, one.task):
                self._armed = (one.time_ns + self._ns(self._spec.delay), one)
                return

    def due(self, now_ns: int) -> tuple[bool, News | None]:
        """Whether to strike now, and the event that said so."""
        if self._armed is None or self.exhausted or now_ns < self._armed[0]:
            return False, None
        return True, self._armed[1]

    def struck(self, now_ns: int) -> None:
        """It struck at `now_ns`."""
        self._strikes += 1
        period_ns = self._ns(self._spec.every or 0.0)
        self._not_before_ns = now_ns + max(period_ns, 1)
        self._armed = (now_ns + period_ns, None) if self._on is None and period_ns else None

    def missed(self) -> None:
        """There was nobody to strike: an event waits for the next one; a moment is tried again at once."""
        if self._on is not None:
            self._armed = None

    @staticmethod
    def _ns(seconds: float) -> int:
        return round(seconds * NS_PER_S)


def _kind(name: str) -> Kind:
    kind = Kind.named(name)
    if kind is None:
        names = sorted(known.name_ for known in Kind)
        guess = nearest(name, names)
        hint = f" Did you mean {guess!r}?" if guess else ""
        raise InvalidRequest(f"fault.on: there is no event {name!r}.{hint} Known: {', '.join(names)}.")
    return kind
