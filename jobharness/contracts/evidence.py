"""The arithmetic that contracts share: runs of equal keys in sorted arrays, and counting within them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from jobharness.clock import NS_PER_S
from jobharness.history.columns import NEVER, Int64s
from jobharness.history.slices import slices

__all__ = [
    "Mask",
    "Waits",
    "close_pairs",
    "composite",
    "in_order",
    "is_first",
    "lagged",
    "ms",
    "place_in_run",
    "running_total",
    "stable_order",
]


Mask = npt.NDArray[np.bool_]


def ms(values_ns: npt.NDArray[Any]) -> Int64s:
    """Whole milliseconds, for sentences."""
    return values_ns // 1_000_000


@dataclass(frozen=True, eq=False)
class Waits:
    """What each of some jobs waited for, and which did so for longer than `within_s`.

    `judged`: (n_jobs,) which jobs; `since_ns`: from when (one moment, or one for each); `until_ns`: tells of some of them when it
    came; `NEVER` where it never did, which is too late.
    """

    judged: Mask
    since_ns: Int64s | np.int64
    until_ns: Callable[[slice | Int64s], Int64s]
    within_s: float

    def came(self, some: slice) -> Mask:
        """Which of these jobs were judged, and it came."""
        return np.asarray(self.judged[some] & (self.until_ns(some) != NEVER))

    def took_ns(self, some: slice | Int64s) -> Int64s:
        """How long it took for these jobs, where it came."""
        since_ns = np.broadcast_to(self.since_ns, len(self.judged))
        return np.asarray(self.until_ns(some) - since_ns[some])

    @cached_property
    def longest_ms(self) -> int:
        """The longest of those that came; 0 without any."""
        longest_ns = (self.took_ns(some).max(where=self.came(some), initial=0) for some in slices(len(self.judged)))
        return int(max(longest_ns, default=0)) // 1_000_000

    @cached_property
    def late(self) -> Int64s:
        """The jobs that waited too long, ascending."""
        within_ns, found = round(self.within_s * NS_PER_S), [np.empty(0, np.int64)]
        for some in slices(len(self.judged)):
            late = self.judged[some] & ((self.took_ns(some) > within_ns) | (self.until_ns(some) == NEVER))
            found.append(np.flatnonzero(late) + some.start)
        return np.concatenate(found)

    @property
    def late_by_ns(self) -> Int64s:
        """What the late ones waited; `NEVER` where it never came."""
        return np.where(self.never, NEVER, self.took_ns(self.late))

    @property
    def never(self) -> Mask:
        """For which of the late ones it never came."""
        return np.asarray(self.until_ns(self.late) == NEVER)


def in_order(table: pl.DataFrame, moment: str, tie: str) -> pl.DataFrame:
    """The table in the order of two columns; as it is where it stands in it already.

    Parts of a history may be given one behind the other and have moments in common: ties are put in order too, or what is
    found would depend on how the history was cut.
    """
    moments, ties = table[moment].to_numpy(), table[tie].to_numpy()
    later = moments[1:] > moments[:-1]
    if (later | ((moments[1:] == moments[:-1]) & (ties[1:] >= ties[:-1]))).all():
        return table
    return table.sort(moment, tie)


def is_first(keys: npt.NDArray[Any]) -> Mask:
    """Where a run of equal keys begins. `keys`: (n,), sorted."""
    first = np.ones(len(keys), np.bool_)
    np.not_equal(keys[1:], keys[:-1], out=first[1:])
    return first


def running_total(values: npt.NDArray[Any], first: Mask) -> Int64s:
    """The sum of `values` up to and with each place, anew from each place where `first`."""
    total = np.cumsum(values, dtype=np.int64)
    starts = np.flatnonzero(first)
    before = total[starts] - values[starts]
    return np.asarray(total - np.repeat(before, np.diff(np.append(starts, len(values)))))


def place_in_run(first: Mask) -> Int64s:
    """0, 1, 2 … anew from each place where `first`."""
    return running_total(np.ones(len(first), np.int64), first) - 1


def composite(key: npt.NDArray[Any], *times_ns: Int64s) -> list[Int64s]:
    """Numbers that order like (key, time), one array for each of `times_ns`, all comparable with each other.

    `key`: (n,) small numbers from 0, the same for each array. Exact: where key and time do not fit into 63 bits
    together, times are replaced by their ranks.
    """
    if not len(key):
        return [np.empty(0, np.int64) for _ in times_ns]
    lowest = min(int(times.min()) for times in times_ns)
    span = max(int(times.max()) for times in times_ns) - lowest + 1
    wide = key.astype(np.int64)
    if (int(key.max()) + 1) * span < 2**63:
        return [wide * span + (times - lowest) for times in times_ns]
    together = np.unique(np.concatenate(times_ns))
    return [wide * len(together) + np.searchsorted(together, times) for times in times_ns]


def close_pairs(key: npt.NDArray[Any], begin_ns: Int64s, until_ns: Int64s) -> tuple[Int64s, Int64s]:
    """Every two places `one`, `other` of one key, the one before the other, where the other begins before the `until` of the one.

    Sorted by key, then begin. Cost: linear in what is found, but for a search for each.
    """
    begin, until = composite(np.cumsum(is_first(key)) - 1, begin_ns, until_ns)
    places = np.arange(len(key))
    counts = np.maximum(np.searchsorted(begin, until, side="left") - places - 1, 0)
    one = np.repeat(places, counts)
    return one, one + 1 + place_in_run(is_first(one)) if len(one) else one


def stable_order(keys: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """The order that sorts `keys` and leaves equal ones as they stand: each key and its place are sorted as one number."""
    numbered = np.empty(len(keys), np.uint64)
    for some in slices(len(keys)):
        numbered[some] = keys[some]
        numbered[some] <<= np.uint64(32)
        numbered[some] |= np.arange(some.start, some.stop, dtype=np.uint64)
    numbered.sort()
    return numbered.astype(np.uint32)  # The place; the cast drops the key.


def lagged(order: npt.NDArray[np.uint32], lag: int) -> Iterator[tuple[slice, npt.NDArray[np.uint32], npt.NDArray[np.uint32]]]:
    """`places, later, earlier`: what stands at `places` of an order, from `lag` on, and what stands `lag` before each of it; a
    slice at a time, since ten million need not be copied into that order for it."""
    for some in slices(max(0, len(order) - lag)):
        places = slice(some.start + lag, some.stop + lag)
        yield places, order[places], order[some]
