"""How far a node's clock is from the master's: from exchanges of four times, as in NTP (RFC 5905, section 8).

    node  --- sent_ns --->            --- received_ns --->
                  master_received_ns, master_sent_ns

An answer cannot come before its question: the master's clock less the node's lies between `master_sent - received` and
`master_received - sent`, however unequal the two ways are. Between exchanges it moves by no more than the clocks drift.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jobharness.errors import ClocksUnknown

__all__ = ["DRIFT_PPM", "MOST_APART_S", "Exchange", "Offset", "offset_of"]

DRIFT_PPM = 50
"""How fast two clocks may part: quartz keeps within some 20 millionths each, and Linux's CLOCK_MONOTONIC is kept in step."""

MOST_APART_S = 1.0
"""Clocks known no better than this tell nothing about jobs."""

MOST_EXCHANGES = 64
FARTHEST_NS = 10**12


@dataclass(frozen=True)
class Exchange:
    """A question of a node and the master's answer. `sent_ns`, `received_ns`: by the node's clock; the others by the master's."""

    sent_ns: int
    master_received_ns: int
    master_sent_ns: int
    received_ns: int

    @property
    def round_trip_ns(self) -> int:
        """How long it was on its way, there and back."""
        return (self.received_ns - self.sent_ns) - (self.master_sent_ns - self.master_received_ns)

    @property
    def offset_ns(self) -> int:
        """The master's clock less the node's, if both ways took as long: half a round trip wrong at the most."""
        return (self.master_received_ns - self.sent_ns + self.master_sent_ns - self.received_ns) // 2


@dataclass(frozen=True)
class Offset:
    """The master's clock is the node's plus `offset_ns`, and no further from that than `bound_ns`, in the span asked for."""

    offset_ns: int
    bound_ns: int


def offset_of(
    node: str,
    exchanges: Sequence[Exchange],
    from_ns: int,
    to_ns: int,
    drift_ppm: int = DRIFT_PPM,
    most_apart_s: float = MOST_APART_S,
) -> Offset:
    """The offset of a node's clock that holds from `from_ns` to `to_ns` (by the node's clock), for any delays on the way.

    With one exchange the bound is half its round trip and what the clocks may drift until the further end; more narrow it.

    Raises: ClocksUnknown without an exchange, where the exchanges contradict each other (a clock was set, or drifts faster than
    allowed), and where the bound is more than `most_apart_s`.
    """
    kept = _kept([each for each in exchanges if each.round_trip_ns >= -_drifted_ns(each.received_ns - each.sent_ns, drift_ppm)])
    if not kept:
        raise ClocksUnknown(
            node, "it exchanged no times with the master", "was its shipper, or its part of the load test, connected?"
        )
    low, high = _envelope(kept, from_ns, to_ns, drift_ppm)
    if low > high:
        problem = f"its exchanges with the master contradict each other by {(low - high) / 1e6:.3g} ms"
        raise ClocksUnknown(node, problem, f"a clock was set meanwhile, or drifts by more than {drift_ppm} millionths")
    offset_ns = (low + high) // 2
    bound_ns = max(high - offset_ns, offset_ns - low)
    if bound_ns > most_apart_s * 1e9:
        problem = f"its clock is known to ± {bound_ns / 1e9:.3g} s only, and {most_apart_s:g} s is allowed"
        raise ClocksUnknown(node, problem, "let it exchange times with the master throughout the run, on a faster way")
    return Offset(int(offset_ns), int(bound_ns))


def _drifted_ns(span_ns: int, drift_ppm: int) -> int:
    """By how much two clocks may part in a span, rounded up: a round trip may seem to be shorter than nothing by that."""
    return -(-span_ns * drift_ppm // 1_000_000) + (2 if drift_ppm else 0)


def _kept(exchanges: Sequence[Exchange]) -> list[Exchange]:
    """The quickest exchange of each of a few equal stretches of time: the others tell next to nothing more."""
    if len(exchanges) <= MOST_EXCHANGES:
        return list(exchanges)
    first, last = min(each.sent_ns for each in exchanges), max(each.sent_ns for each in exchanges)
    best: dict[int, Exchange] = {}
    for each in exchanges:
        stretch = (each.sent_ns - first) * MOST_EXCHANGES // (last - first + 1)
        if stretch not in best or each.round_trip_ns < best[stretch].round_trip_ns:
            best[stretch] = each
    return list(best.values())


def _envelope(exchanges: Sequence[Exchange], from_ns: int, to_ns: int, drift_ppm: int) -> tuple[int, int]:
    """The least and the greatest that the offset can be anywhere in the span, rounded outwards.

    At any moment it is at least the greatest of the exchanges' lower limits, each less what was drifted since, and at most the
    least of the upper ones. Between the places where two of these cross they are straight, so looking there is enough.
    """
    lower = [(each.master_sent_ns - each.received_ns, each.received_ns) for each in exchanges]
    upper = [(each.sent_ns - each.master_received_ns, each.sent_ns) for each in exchanges]
    return _least(lower, from_ns, to_ns, drift_ppm), -_least(upper, from_ns, to_ns, drift_ppm)


def _least(limits: Sequence[tuple[int, int]], from_ns: int, to_ns: int, drift_ppm: int) -> int:
    """The least that the greatest of the `limits` (limit, moment) is between the two moments, rounded down."""
    limit, moment = np.array(sorted(limits, key=lambda pair: pair[1]), np.int64).T
    one, other = np.triu_indices(len(limit), 1)
    apart = np.clip(limit[one] - limit[other], -FARTHEST_NS, FARTHEST_NS)
    crossing = (moment[one] + moment[other]) // 2 + apart * 1_000_000 // (2 * max(drift_ppm, 1))
    between = (crossing > np.maximum(moment[one], from_ns)) & (crossing < np.minimum(moment[other], to_ns))
    place = np.concatenate([[from_ns, to_ns], crossing[between]])
    drifted = np.abs(moment - place[:, np.newaxis]) * drift_ppm // 1_000_000
    # Two for what was rounded: the place by less than 2 ns, so its limit by less than one, and what was drifted.
    return int((limit - drifted).max(axis=1).min()) - (2 if drift_ppm else 0)
