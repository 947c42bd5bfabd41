"""FIFO per key: jobs of one key begin in the order in which they were enqueued.

Only an order that somebody could know counts: a job whose enqueue was acknowledged before that of another began
comes before it. Jobs that never began are not out of order; they are at-least-once's. Delayed jobs begin when their
time has come, whatever was sent since: they are not-before's.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from jobharness.contracts.evidence import close_pairs, composite, in_order, lagged, ms, stable_order
from jobharness.contracts.promise import Evidence, RunPromise, offences
from jobharness.history.columns import NEVER, Int64s
from jobharness.history.event import Kind
from jobharness.history.frame import History
from jobharness.history.slices import taken

__all__ = ["FifoPerKey"]


class FifoPerKey(RunPromise):
    """No job begins before one of its key that was acknowledged before it was sent. Needs: recorders alive."""

    name = "fifo_per_key"
    split_by = "key"
    promise = "jobs of one key begin in the order of their enqueues"
    needs = frozenset((Kind.ENQUEUE_BEGIN, Kind.ENQUEUE_ACKNOWLEDGED, Kind.JOB_RUNNING))
    nothing = "no job with a key was run"

    def observe(self, history: History) -> pl.DataFrame:
        """`key, begun_ns, acknowledged_ns, running_ns, job` of the jobs with a key that were enqueued, for at once, and
        run."""
        tally, key = history.tally, history.tally.label("group")
        keyed = (key > 0) & tally.has(Kind.JOB_RUNNING) & tally.has(Kind.ENQUEUE_BEGIN) & ~tally.has(Kind.ENQUEUE_NOT_BEFORE)
        jobs = np.flatnonzero(keyed).astype(np.uint32)
        table = {
            "key": taken(key, jobs),
            "begun_ns": tally.first_ns(Kind.ENQUEUE_BEGIN, jobs),
            "acknowledged_ns": tally.first_ns(Kind.ENQUEUE_ACKNOWLEDGED, jobs),
            "running_ns": tally.first_ns(Kind.JOB_RUNNING, jobs),
            "job": jobs,
        }
        if history.clocks.wide:
            table["sent_by"] = tally.first_process(Kind.ENQUEUE_BEGIN, jobs)
            table["run_by"] = tally.first_process(Kind.JOB_RUNNING, jobs)
        return pl.DataFrame(table)

    def weigh(self, observed: pl.DataFrame, history: History) -> Evidence:
        """The jobs that began too soon, by how much."""
        count = observed.height
        suspects = _suspects(observed)
        late_ns = _latest_before(suspects)
        over = late_ns > suspects["running_ns"].to_numpy()
        table = suspects.filter(pl.Series(over, dtype=pl.Boolean))
        by_ns = late_ns[over] - table["running_ns"].to_numpy()
        found = offences(
            pl.format("began {} ms before a job of its key that had been enqueued before", "by"),
            job=table["job"].to_numpy(),
            weight=by_ns,
            by=ms(by_ns),
        )
        if history.clocks.wide:
            found = pl.concat([found, _concurrent(observed, history)])
        return Evidence(count, found, 0, {"keyed": count, "overtook": found.height})

    def broken(self, figures: Mapping[str, int]) -> str:
        """How many overtook."""
        return f"{figures['overtook']} of {figures['keyed']} jobs overtook one of their key"

    def kept(self, figures: Mapping[str, int]) -> str:
        """How many were judged."""
        return f"all {figures['keyed']} jobs with a key began in order"


def _concurrent(observed: pl.DataFrame, history: History) -> pl.DataFrame:
    """The jobs that may have overtaken one of their key: the clocks leave both orders open, of the enqueues and of the begins."""
    clocks, open_ns = history.clocks, history.clocks.most_apart_ns
    table = observed.filter(pl.col("acknowledged_ns") != NEVER).sort("key", "begun_ns", "job")
    columns = {name: table[name].to_numpy() for name in table.columns}
    begun_ns, acknowledged_ns, running_ns = (columns[name] for name in ("begun_ns", "acknowledged_ns", "running_ns"))
    pairs = close_pairs(columns["key"], begun_ns, acknowledged_ns + open_ns)
    found = []
    for before, after in (pairs, pairs[::-1]):
        sent_ns = clocks.apart_ns(columns["sent_by"][before], columns["sent_by"][after])
        begins_ns = clocks.apart_ns(columns["run_by"][before], columns["run_by"][after])
        both = np.abs(begun_ns[after] - acknowledged_ns[before]) < sent_ns
        both &= np.abs(running_ns[after] - running_ns[before]) < begins_ns
        found.append(columns["job"][after[both]])
    jobs = np.unique(np.concatenate(found))
    return offences("may have begun before a job of its key that was enqueued before", job=jobs, weight=np.zeros(len(jobs)))


def _suspects(observed: pl.DataFrame) -> pl.DataFrame:
    """The jobs of the keys in which, ordered by their enqueue, begins do not ascend: in the others nothing can be
    out of order."""
    observed = in_order(observed, "begun_ns", "job")
    key, running_ns = observed["key"].to_numpy(), observed["running_ns"].to_numpy()
    order = stable_order(key)
    suspects = [
        key[after][(running_ns[after] < running_ns[before]) & (key[after] == key[before])]
        for _, after, before in lagged(order, 1)
    ]
    found = np.unique(np.concatenate([key[:0], *suspects]))
    return observed[order[np.isin(key[order], found)]] if len(found) else observed.clear()


def _latest_before(jobs: pl.DataFrame) -> Int64s:
    """For each job (sorted by key): the latest begin among those of its key that were acknowledged before it was
    sent; 0 without any."""
    if not jobs.height:
        return np.empty(0, np.int64)
    rank = jobs["key"].rle_id().to_numpy()
    sent, acknowledged = composite(rank, jobs["begun_ns"].to_numpy(), jobs["acknowledged_ns"].to_numpy())
    order = np.argsort(acknowledged, kind="stable")
    begins = jobs["running_ns"].to_numpy()
    (ranked_begins,) = composite(rank, begins)
    latest = np.maximum.accumulate(ranked_begins[order])
    place = np.searchsorted(acknowledged[order], sent, side="left") - 1
    holder = np.maximum.accumulate(np.where(ranked_begins[order] == latest, np.arange(len(order)), 0))[np.maximum(place, 0)]
    before = order[holder]
    return np.asarray(np.where((place >= 0) & (rank[before] == rank), begins[before], 0))
