"""Concurrency limit: never more than so many executions at once; with a limit of 1 and a key, mutual exclusion.

An execution is under way from its begin up to, and without, its end, so that one may end at the very moment at which
the next begins. Of one that was cut off only what is known counts: up to the strike that hit it, else its begin alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from jobharness.contracts.evidence import Mask, composite, in_order, is_first, lagged, stable_order
from jobharness.contracts.promise import Evidence, RunPromise, offences
from jobharness.contracts.rate_limit import WHOSE, Per, keys_of
from jobharness.history.clocks import Clocks
from jobharness.history.columns import Int64s
from jobharness.history.event import Kind
from jobharness.history.frame import History

__all__ = ["ConcurrencyLimit"]


@dataclass(frozen=True)
class ConcurrencyLimit(RunPromise):
    """At most `limit` executions at once. Needs: recorders alive. Jobs without a key are not limited by key."""

    limit: int
    per: Per = "run"
    name = "concurrency_limit"
    split_by = "key"
    needs = frozenset((Kind.JOB_RUNNING, Kind.JOB_FINISHED))

    @property
    def promise(self) -> str:
        """The promise, with its limit."""
        if self.limit == 1:
            return f"no two executions overlap{WHOSE[self.per]}"
        return f"no more than {self.limit} executions at once{WHOSE[self.per]}"

    def observe(self, history: History) -> pl.DataFrame:
        """`begin_ns, alive_ns, job, row, key` of each execution."""
        executions = history.executions
        key = keys_of(history, self.per, executions.job)
        table = pl.DataFrame(
            {
                "begin_ns": executions.begin_ns,
                "alive_ns": executions.alive_ns,
                "job": executions.job,
                "row": executions.row,
                "key": key,
            }
        )
        if history.clocks.wide or history.clocks.narrow:
            table = table.with_columns(node=history.clocks.node[executions.process])
        return table if self.per != "key" or key.all() else table.filter(pl.col("key") > 0)

    def weigh(self, observed: pl.DataFrame, history: History) -> Evidence:
        """The executions that began beyond the limit, those with the most others under way first."""
        observed = in_order(observed, "begin_ns", "row")
        key, begin_ns, alive_ns = (observed[name].to_numpy() for name in ("key", "begin_ns", "alive_ns"))
        order = stable_order(key) if self.per != "run" else np.arange(len(key), dtype=np.uint32)
        which, at_once = np.empty(0, np.int64), np.empty(0, np.int64)
        if _crowded(key, begin_ns, alive_ns, order, self.limit):
            rank = np.cumsum(is_first(key[order])) - 1
            begin, alive = composite(rank, begin_ns[order], alive_ns[order])
            which, at_once = _beyond(begin, alive, self.limit)
        if history.clocks.wide or history.clocks.narrow:
            which, at_once = _beyond_by_clocks(observed[order], history.clocks, self.limit)
        found = offences(
            pl.format("{} at once, where {} are allowed", "number", pl.lit(self.limit)),
            job=observed["job"].to_numpy()[order[which]],
            row=observed["row"].to_numpy()[order[which]],
            weight=at_once,
            number=at_once,
        )
        counts = {"executions": observed.height, "over": len(which)}
        return Evidence(observed.height, found, 0, counts, {"most": int(at_once.max(initial=0))})

    def broken(self, figures: Mapping[str, int]) -> str:
        """The most at once."""
        return f"{figures['most']} executions at once, where {self.limit} are allowed; {figures['over']} began too many"

    def kept(self, figures: Mapping[str, int]) -> str:
        """How many were judged."""
        return f"none of {figures['executions']} executions was one too many"


def _crowded(key: npt.NDArray[np.uint32], begin_ns: Int64s, alive_ns: Int64s, order: npt.NDArray[np.uint32], limit: int) -> bool:
    """Whether there can be too many at all. If each execution is over before the one `limit` places on begins, never."""
    return any(
        bool(((alive_ns[one] > begin_ns[later]) & (key[one] == key[later])).any()) for _, later, one in lagged(order, limit)
    )


def _beyond(begin: Int64s, alive: Int64s, limit: int) -> tuple[Int64s, Int64s]:
    """Places (ascending begins) at which more than `limit` are under way, and how many are. Composites: keys do not
    overlap."""
    which = np.flatnonzero(_suspect(begin, alive, limit))
    lasting = alive > begin  # One of no length is under way for nobody but itself.
    begun: Int64s = np.cumsum(lasting) - lasting
    ended = np.searchsorted(np.sort(alive[lasting], kind="stable"), begin[which], side="right")
    at_once = begun[which] - ended + 1
    over = at_once > limit
    return which[over], at_once[over]


def _suspect(begin: Int64s, alive: Int64s, limit: int) -> Mask:
    """Where there may be too many: `limit` places back or further, some execution is still under way."""
    suspect = np.zeros(len(begin), np.bool_)
    suspect[limit:] = np.maximum.accumulate(alive)[: len(alive) - limit] > begin[limit:]
    return suspect


def _beyond_by_clocks(observed: pl.DataFrame, clocks: Clocks, limit: int) -> tuple[Int64s, Int64s]:
    """The same as `_beyond`, as far as the nodes' clocks leave it open. `observed`: ascending in key and begin.

    At each begin those of its own node count, and of each other node the most that it had under way at a moment that may be the
    same; where the clocks are `narrow`, the least, which it had for certain.
    """
    names = ("key", "begin_ns", "alive_ns", "node")
    key, begin_ns, alive_ns, node = (observed[name].to_numpy() for name in names)
    rank, at_once = np.cumsum(is_first(key)) - 1, np.zeros(len(key), np.int64)
    for number in np.unique(node):
        here, theirs = np.flatnonzero(node == number), np.flatnonzero(node != number)
        open_ns = clocks.bounds_ns[number] + clocks.bounds_ns[node]
        begins, ends, *around = composite(rank, begin_ns, alive_ns, begin_ns - open_ns, begin_ns + open_ns)
        begin, end, (early, late) = begins[here], np.sort(ends[here], kind="stable"), (times[theirs] for times in around)

        def under_way(at: Int64s, begin: Int64s = begin, end: Int64s = end) -> Int64s:
            return np.asarray(np.searchsorted(begin, at, side="right") - np.searchsorted(end, at, side="right"))

        own = under_way(begin) + (ends[here] == begin)  # One of no length is under way for itself.
        at_once[here] += own
        if clocks.narrow:
            first, last = np.searchsorted(end, early, side="right"), np.searchsorted(end, late, side="right")
            at_once[theirs] += _furthest(under_way(early), under_way(end), first, last, np.minimum)
        else:
            first, last = np.searchsorted(begin, early, side="left"), np.searchsorted(begin, late, side="left")
            at_once[theirs] += _furthest(under_way(early), own, first, last, np.maximum)
    over = np.flatnonzero(at_once > limit)
    return over, at_once[over]


def _furthest(early: Int64s, counts: Int64s, first: Int64s, last: Int64s, which: np.ufunc) -> Int64s:
    """The most or the least (`which`) of each window: of its beginning, and of the counts between `first` and `last`."""
    furthest, some = early.copy(), np.flatnonzero(last > first)
    if len(some):
        edges = np.column_stack([first[some], last[some]]).ravel()
        furthest[some] = which(furthest[some], which.reduceat(np.append(counts, 0), edges)[::2])
    return furthest
