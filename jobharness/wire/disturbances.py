"""What can be wrong with a network: one small class each, asked about every piece that passes (see `pipe`)."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

from jobharness.wire.pipe import NEVER, STUCK, Disturbance

__all__ = ["DISTURBANCES", "Bandwidth", "Corruption", "Latency", "Partition", "SilentDrop", "disturbance_of"]


class Latency:
    """Each piece leaves `delay_s` later, give or take up to `jitter_s`; order is kept."""

    def __init__(self, random: Random, delay_s: float, jitter_s: float = 0.0) -> None:
        self._random, self._delay_s, self._jitter_s = random, delay_s, jitter_s

    def leaves(self, now_s: float, size_bytes: int) -> float:
        jitter_s = self._random.uniform(-self._jitter_s, self._jitter_s) if self._jitter_s else 0.0
        return now_s + max(0.0, self._delay_s + jitter_s)


class Bandwidth:
    """At most `bytes_per_s` pass."""

    def __init__(self, random: Random, bytes_per_s: float) -> None:
        self._bytes_per_s, self._free_s = bytes_per_s, 0.0

    def leaves(self, now_s: float, size_bytes: int) -> float:
        self._free_s = max(self._free_s, now_s) + size_bytes / self._bytes_per_s
        return self._free_s


class SilentDrop:
    """What is sent is gone, and nobody is told: a half-open connection."""

    def __init__(self, random: Random) -> None: ...

    def leaves(self, now_s: float, size_bytes: int) -> float:
        return NEVER


class Partition:
    """Nothing passes until it is lifted; then what was sent arrives, as TCP's retransmissions would have it."""

    def __init__(self, random: Random) -> None: ...

    def leaves(self, now_s: float, size_bytes: int) -> float:
        return STUCK


class Corruption:
    """A `rate` of the pieces has a bit flipped on its way, which TCP's checksum refuses.

    So it never reaches the reader: it is sent again, and all behind it waits, 200 ms the first time and twice as long each time
    (Linux's least retransmission time-out, RFC 6298).
    """

    def __init__(self, random: Random, rate: float) -> None:
        self._random, self._rate = random, rate

    def leaves(self, now_s: float, size_bytes: int) -> float:
        again_s = 0.2
        while self._random.random() < self._rate:
            now_s += again_s
            again_s *= 2
        return now_s


DISTURBANCES = {
    "latency": Latency,
    "bandwidth": Bandwidth,
    "drop": SilentDrop,
    "partition": Partition,
    "corruption": Corruption,
}


def disturbance_of(kind: str, random: Random, details: Mapping[str, Any]) -> Disturbance | None:
    """A disturbance for one pipe, or None for a kind that is about the connection and not its bytes."""
    return DISTURBANCES[kind](random, **details) if kind in DISTURBANCES else None
