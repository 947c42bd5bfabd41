"""Rate limit: no sliding window has more than so many starts, or upstream calls, of one key.

A window holds its first moment and not its last: two starts exactly a window apart are in two windows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from jobharness.clock import NS_PER_S
from jobharness.contracts.evidence import composite, in_order, is_first, lagged, stable_order
from jobharness.contracts.promise import Evidence, RunPromise, offences
from jobharness.history.columns import Int64s
from jobharness.history.event import Kind
from jobharness.history.frame import History
from jobharness.history.slices import taken

__all__ = ["Per", "RateLimit", "UpstreamRateLimit", "keys_of"]

Per = Literal["run", "task", "key"]
WHOSE = {"run": "", "task": " for each task", "key": " for each key"}


def keys_of(history: History, per: Per, job: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """What a limit is counted by, for each of these jobs: nothing (0), the task, or the job's key (rows of texts; 0:
    it has none)."""
    if per == "run":
        return np.zeros(len(job), np.uint32)
    return taken(history.tally.label("task" if per == "task" else "group"), job)


@dataclass(frozen=True)
class RateLimit(RunPromise):
    """At most `limit` executions begin in any window of `window_s`. Needs: recorders alive. Jobs without a key are
    not limited by key."""

    limit: int
    window_s: float
    per: Per = "run"
    name = "rate_limit"
    split_by = "key"
    needs = frozenset((Kind.JOB_RUNNING,))
    kind: ClassVar[Kind] = Kind.JOB_RUNNING
    noun: ClassVar[str] = "executions"

    @property
    def promise(self) -> str:
        """The promise, with its limit."""
        return f"no more than {self.limit} {self.noun} begin within any {self.window_s:g} s{WHOSE[self.per]}"

    def observe(self, history: History) -> pl.DataFrame:
        """`time_ns, job, row, key` of what is counted."""
        columns = history.columns
        rows, job = columns.rows_of_jobs(self.kind), columns.jobs(self.kind)
        key = keys_of(history, self.per, job)
        table = pl.DataFrame({"time_ns": taken(columns["time_ns"], rows), "job": job, "row": rows, "key": key})
        if history.clocks.wide:
            table = table.with_columns(node=history.clocks.node[columns["process"][rows]])
        return table if self.per != "key" or key.all() else table.filter(pl.col("key") > 0)

    def weigh(self, observed: pl.DataFrame, history: History) -> Evidence:
        """The starts beyond the limit, those in the fullest window first."""
        observed = in_order(observed, "time_ns", "row")
        times, key = observed["time_ns"].to_numpy(), observed["key"].to_numpy()
        if not history.clocks.wide and not _may_be_crowded(key, times, self.limit, round(self.window_s * NS_PER_S)):
            return Evidence(observed.height, counts={"counted": observed.height, "over": 0}, most={"fullest": 0})
        order = stable_order(key) if self.per != "run" else np.arange(len(key), dtype=np.uint32)
        window_ns = self._windows_ns(observed, order, history)
        close = np.zeros(len(key), np.bool_)
        # So many places back, a start of the same key must be outside of the window that ends with this one.
        for places, start, back in lagged(order, self.limit):
            close[places] = (times[start] - times[back] < window_ns[places]) & (key[start] == key[back])
        which = np.flatnonzero(close)
        place = order[which]
        in_window = _in_window(key, times, order, which, window_ns)
        found = offences(
            pl.format("{} within {} s, where {} are allowed", "number", pl.lit(f"{self.window_s:g}"), pl.lit(self.limit)),
            job=observed["job"].to_numpy()[place],
            row=observed["row"].to_numpy()[place],
            weight=in_window,
            number=in_window,
        )
        counts = {"counted": observed.height, "over": len(which)}
        return Evidence(observed.height, found, 0, counts, {"fullest": int(in_window.max(initial=0))})

    def _windows_ns(self, observed: pl.DataFrame, order: npt.NDArray[np.uint32], history: History) -> Int64s:
        """The window of each start; where several nodes tell of a key, by as much longer as they may truly have been closer."""
        window_ns = np.int64(round(self.window_s * NS_PER_S))
        if not history.clocks.wide:
            return np.broadcast_to(window_ns, observed.height)
        mixed = observed.select(pl.col("node").n_unique().over("key") > 1).to_series().to_numpy()
        return np.asarray(window_ns + np.where(mixed[order], history.clocks.most_apart_ns, 0))

    def broken(self, figures: Mapping[str, int]) -> str:
        """The fullest window."""
        fullest = f"{figures['fullest']} {self.noun} within {self.window_s:g} s, where {self.limit} are allowed"
        return f"{fullest}; {figures['over']} came too soon"

    def kept(self, figures: Mapping[str, int]) -> str:
        """How many were counted."""
        return f"none of {figures['counted']} {self.noun} came too soon"


def _may_be_crowded(key: npt.NDArray[np.uint32], times_ns: Int64s, limit: int, window_ns: int) -> bool:
    """Whether some start comes within a window of the one of its key that is `limit` places back; True also where that cannot be
    told by sorting one number for each."""
    if not len(key):
        return False
    earliest = int(times_ns.min())
    apart = int(times_ns.max()) - earliest + window_ns  # Starts of different keys are a window apart, at least.
    if (int(key.max()) + 1) * apart >= 2**63:
        return True
    starts = key * np.int64(apart)
    starts += times_ns - earliest
    starts.sort()
    return bool((starts[limit:] - starts[: max(0, len(starts) - limit)] < window_ns).any())


def _in_window(
    key: npt.NDArray[np.uint32], times_ns: Int64s, order: npt.NDArray[np.uint32], which: Int64s, window_ns: Int64s
) -> Int64s:
    """How many starts of the same key, itself among them, lie in the window that ends with each of the places `which` of an
    order by key and time."""
    if not len(which):
        return which
    rank, times_ns = np.cumsum(is_first(key[order])) - 1, times_ns[order]
    at, since = composite(rank, times_ns, times_ns - window_ns)
    return np.asarray(which - np.searchsorted(at, since[which], side="right") + 1)


@dataclass(frozen=True)
class UpstreamRateLimit(RateLimit):
    """The same for the requests that jobs send to the upstream."""

    name = "upstream_rate_limit"
    needs = frozenset((Kind.UPSTREAM_REQUEST,))
    nothing = "no request reached the upstream"
    kind = Kind.UPSTREAM_REQUEST
    noun = "upstream calls"
