"""Backoff respected: a job that failed is not run again sooner than the team's policy, or a peer's `Retry-After`,
allows.

The k-th retry of a job begins at least `first * factor ** (k - 1)`, at most `cap`, less the jitter, after the end of
the execution that failed (its code raised, or its time limit ended it). An execution that was cut off did not fail:
a redelivery after a crash need not wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from jobharness.clock import NS_PER_S
from jobharness.contracts.evidence import is_first, ms, running_total
from jobharness.contracts.promise import Evidence, Promise, offences
from jobharness.history.columns import Int64s
from jobharness.history.event import Kind
from jobharness.history.frame import History

__all__ = ["Backoff", "requests_too_soon"]

FAILURES = (int(Kind.JOB_FAILED), int(Kind.JOB_TIMED_OUT))


@dataclass(frozen=True)
class Backoff(Promise):
    """No retry, and no request after a `Retry-After`, comes too soon. Needs: recorders alive.

    `first_s`: the least wait before the first retry; `factor`: by how much each further one grows; `cap_s`: what it
    grows to; `jitter`: the share by which a wait may be shorter.
    """

    first_s: float
    factor: float = 1.0
    cap_s: float = float("inf")
    jitter: float = 0.0
    name = "backoff"
    needs = frozenset((Kind.JOB_RUNNING, Kind.JOB_FAILED))
    nothing = "no job was retried, and nobody asked to wait"

    @property
    def promise(self) -> str:
        """The promise, with its policy."""
        grows = f", growing {self.factor:g}-fold up to {self.cap_s:g} s" if self.factor != 1 else ""
        return f"no job is retried sooner than {self.first_s:g} s after it failed{grows}"

    def evidence(self, history: History) -> Evidence:
        """What came too soon, by how much of its wait was missing."""
        retries, early = self._retries(history)
        waits, impatient = self._retry_after(history)
        counts = {"retries": retries, "early": early.height, "asked_to_wait": waits, "impatient": impatient.height}
        return Evidence(retries + waits, pl.concat([early, impatient]), 0, counts)

    def _retries(self, history: History) -> tuple[int, pl.DataFrame]:
        executions = history.executions
        again = np.flatnonzero(history.tally.count(Kind.JOB_RUNNING)[executions.job] > 1)
        order = again[np.argsort(executions.job[again], kind="stable")]
        job, begin_ns, end_ns = executions.job[order], executions.begin_ns[order], executions.alive_ns[order]
        first = is_first(job)
        failed = np.isin(executions.end_kind[order], FAILURES)
        apart_ns = history.clocks.apart_ns(executions.process[order[1:]], executions.process[order[:-1]])
        # One that began while the other still ran is no retry of it.
        after = np.flatnonzero(~first[1:] & failed[:-1] & (begin_ns[1:] >= end_ns[:-1] - apart_ns)) + 1
        failures = running_total(failed, first)[after - 1] if len(order) else np.empty(0, np.int64)
        gap_ns = begin_ns[after] - end_ns[after - 1]
        wanted_ns = self.waits_ns(failures)
        short = gap_ns < wanted_ns
        which = after[short]
        return len(after), offences(
            pl.format("retry {} began {} ms after the failure, not {} ms", "nth", "gap", "wanted"),
            job=job[which],
            row=executions.row[order[which]],
            weight=1 - gap_ns[short] / wanted_ns[short],
            nth=failures[short],
            gap=ms(gap_ns[short]),
            wanted=ms(wanted_ns[short]),
        )

    def waits_ns(self, failures: Int64s) -> Int64s:
        """The least wait, ns, after so many failures (1 or more)."""
        with np.errstate(over="ignore"):  # Past the cap anyway.
            waits_s = np.minimum(self.first_s * np.power(float(self.factor), failures - 1), self.cap_s)
        return np.asarray(np.rint(np.minimum(waits_s, 1e9) * (1 - self.jitter) * NS_PER_S), np.int64)

    def _retry_after(self, history: History) -> tuple[int, pl.DataFrame]:
        soon = requests_too_soon(history)
        waited = (soon["time_ns"] - soon["asked_ns"]).to_numpy()
        wanted = soon["value_right"].to_numpy()
        return len(history.columns.rows_of_jobs(Kind.UPSTREAM_RETRY_AFTER)), offences(
            pl.format("asked again {} ms after it was told to wait {} ms", "waited", "wanted"),
            job=soon["job"].to_numpy(),
            row=soon["row"].to_numpy(),
            weight=1 - waited / wanted if len(wanted) else np.empty(0),
            waited=ms(waited),
            wanted=ms(wanted),
        )

    def broken(self, figures: Mapping[str, int]) -> str:
        """How many retries and requests came too soon."""
        parts = [f"{figures['early']} of {figures['retries']} retries came too soon"] if figures["early"] else []
        if figures["impatient"]:
            parts.append(f"{figures['impatient']} requests came before the `Retry-After` was over")
        return "; ".join(parts)

    def kept(self, figures: Mapping[str, int]) -> str:
        """How many were judged."""
        return f"{figures['retries']} retries and {figures['asked_to_wait']} demands to wait were respected"


def requests_too_soon(history: History) -> pl.DataFrame:
    """The requests that came before the latest `Retry-After` of the same job was over: `row`, `job`, `time_ns`, `asked_ns` (when
    it was asked to wait), `value_right` (how long, ns)."""
    asked = _upstream(history, Kind.UPSTREAM_RETRY_AFTER).with_columns(
        asked_ns="time_ns", until_ns=pl.col("time_ns") + pl.col("value")
    )
    told = _upstream(history, Kind.UPSTREAM_REQUEST).sort("time_ns").join_asof(
        asked.select("job", "time_ns", "asked_ns", "until_ns", "value").sort("time_ns"),
        on="time_ns", by="job", strategy="backward", allow_exact_matches=False, check_sortedness=False,
    )  # fmt: skip
    return told.filter(pl.col("time_ns") < pl.col("until_ns"))


def _upstream(history: History, kind: Kind) -> pl.DataFrame:
    columns, rows = history.columns, history.columns.rows_of_jobs(kind)
    return pl.DataFrame({"row": rows, **{name: columns[name][rows] for name in ("job", "time_ns", "value")}})
