"""When a fault strikes: a moment, a period, or an event of the history.

`at` is one moment; `every` a period; `on` the first fitting event, again after each heal, and not sooner than
`every` after the strike before. Of the requests to the upstream, `on = "upstream.request:POST /messages*"` means some: a method,
or none for any, and a path.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from random import Random

from jobharness.clock import NS_PER_S
from jobharness.errors import InvalidRequest, nearest
from jobharness.history.event import Kind
from jobharness.history.follow import News
from jobharness.scenario.model import FaultSpec
from jobharness.wire.match import PREFIX

__all__ = ["REQUEST", "Trigger"]

REQUEST = "upstream.request:"


class Trigger:
    """Decides for one fault. Pure but for its own memory of what it has seen; all times in ns.

    Args: `random`: this fault's own stream of the seed; `label`: what the fault is called, by which it knows a broker
    step as its own.
    Raises: InvalidRequest for an event that does not exist.
    """

    def __init__(self, spec: FaultSpec, random: Random, label: str = "") -> None:
        self._spec, self._random, self._label = spec, random, label
        self._on = _kind(spec.on) if spec.on is not None else None
        self._route = _route(spec.on) if spec.on is not None and spec.on.startswith(REQUEST) else ""
        self._strikes = self._fitting = 0
        self._not_before_ns = 0
        self._armed: tuple[int, News | None] | None = None

    @property
    def strikes(self) -> int:
        """How often it has struck."""
        return self._strikes

    @property
    def exhausted(self) -> bool:
        """Whether it will never strike again."""
        return self._spec.times != "always" and self._strikes >= self._spec.times

    @property
    def pending(self) -> bool:
        """Whether its moment has come, or will without a further event."""
        return self._armed is not None and not self.exhausted

    def start(self, now_ns: int) -> None:
        """The first arrival was at `now_ns`; moments count from there."""
        if self._spec.rate is not None:
            self._arm_moment(now_ns + self._gap_ns(), self._spec.delay)
        elif self._on is None and self._spec.after is None:
            first_s = self._spec.at if self._spec.at is not None else (self._spec.every or 0.0)
            self._arm_moment(now_ns + _ns(first_s), self._spec.delay)

    def see(self, news: Sequence[News]) -> None:
        """Look at events as they arrive, in order."""
        if self._on is None or self._armed is not None or self.exhausted:
            return
        for one in news:
            if self._fits(one):
                self._fitting += 1
                if self._fitting >= self._spec.nth and self._follows():
                    self._arm(one.time_ns, one)
                    return

    def _fits(self, one: News) -> bool:
        spec = self._spec
        return (
            one.kind is self._on
            and one.time_ns >= self._not_before_ns
            and spec.task in (None, one.task)
            and spec.worker in (None, one.name)
            and (self._on is not Kind.BROKER_STEP or one.text == self._label)
            and (not self._route or fnmatchcase(one.task, self._route))
        )

    def other_struck(self, name: str, now_ns: int) -> None:
        """Another fault struck."""
        if name == self._spec.after and self._armed is None and not self.exhausted and self._follows():
            self._arm(now_ns, None)

    def due(self, now_ns: int) -> tuple[bool, News | None]:
        """Whether to strike now, and the event that said so."""
        if self._armed is None or self.exhausted or now_ns < self._armed[0]:
            return False, None
        return True, self._armed[1]

    def struck(self, now_ns: int) -> None:
        """It struck at `now_ns`."""
        self._strikes += 1
        period_ns = _ns(self._spec.every or 0.0)
        self._not_before_ns = now_ns + max(period_ns, 1)
        self._armed = None
        if self._spec.rate is not None:
            self._arm_moment(now_ns + self._gap_ns())
        elif self._on is None and period_ns:
            self._arm_moment(now_ns + period_ns)

    def missed(self) -> None:
        """There was nobody to strike: an event waits for the next one; a moment is tried again at once."""
        if self._on is not None:
            self._armed = None

    def _arm(self, moment_ns: int, cause: News | None) -> None:
        self._armed = (moment_ns + _ns(self._spec.delay), cause)

    def _arm_moment(self, moment_ns: int, delay_s: float = 0.0) -> None:
        """The next moment that its probability lets it follow; none, where there is but one moment and it does not."""
        while not self._follows():
            if self._spec.rate is None and not self._spec.every:
                return
            moment_ns += self._gap_ns() if self._spec.rate is not None else _ns(self._spec.every or 0.0)
        self._armed = (moment_ns + _ns(delay_s), None)

    def _follows(self) -> bool:
        return self._spec.probability >= 1 or self._random.random() < self._spec.probability

    def _gap_ns(self) -> int:
        assert self._spec.rate is not None
        return _ns(self._random.expovariate(self._spec.rate))


def _ns(seconds: float) -> int:
    return round(seconds * NS_PER_S)


def _route(name: str) -> str:
    """The pattern of a request, such as "POST /messages*". Raises: InvalidRequest."""
    words = name.removeprefix(REQUEST).split()
    if not 1 <= len(words) <= 2 or not words[-1].startswith(("/", "*")):
        raise InvalidRequest(
            f"fault.on: {name!r} names no requests; write a path, or a method and a path: {REQUEST}POST /messages*"
        )
    return " ".join((words[0].upper() if len(words) == 2 else "*", words[-1]))


def _kind(name: str) -> Kind:
    if name.startswith(PREFIX):
        return Kind.BROKER_STEP
    if name.startswith(REQUEST):
        return Kind.UPSTREAM_REQUEST
    kind = Kind.named(name)
    if kind is None:
        names = sorted(known.name_ for known in Kind)
        guess = nearest(name, names)
        hint = f" Did you mean {guess!r}?" if guess else ""
        raise InvalidRequest(f"fault.on: there is no event {name!r}.{hint} Known: {', '.join(names)}.")
    return kind
