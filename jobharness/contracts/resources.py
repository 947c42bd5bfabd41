"""Resources bounded: workers do not grow with the jobs they run, nor come near their memory limit.

Growth is the slope of the least-squares line through (executions that the worker has ended, resident memory or open
descriptors), over the samples of one process but the first fifth, where caches fill. A process is judged when it
ended enough jobs between.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from jobharness.clock import NS_PER_S
from jobharness.contracts.promise import Evidence, RunPromise, offences
from jobharness.history.columns import NEVER, Int64s
from jobharness.history.event import Kind
from jobharness.history.frame import History

__all__ = ["Resources"]

WARM_UP = 0.2
SAMPLES = (Kind.RESOURCE_MEMORY, Kind.RESOURCE_DESCRIPTORS, Kind.RESOURCE_CPU)


@dataclass(frozen=True)
class Resources(RunPromise):
    """Bounds for each worker process; None: not judged. Needs: samples of its resources, and at least `fewest_jobs`
    jobs.

    `memory_per_1000`: bytes; `descriptors_per_1000`: a number; `cpu_per_job_s`: processor time; `memory_share`: of
    its limit, such as 0.85.
    """

    memory_per_1000: float | None = None
    descriptors_per_1000: float | None = None
    cpu_per_job_s: float | None = None
    memory_share: float | None = None
    fewest_jobs: int = 100
    name = "resources"
    needs = frozenset((Kind.JOB_RUNNING, Kind.JOB_FINISHED, *SAMPLES))
    nothing = "no worker was sampled over enough jobs"

    @property
    def promise(self) -> str:
        """The promise, with its bounds."""
        parts = {
            "memory grows by at most {:g} bytes per 1,000 jobs": self.memory_per_1000,
            "descriptors grow by at most {:g} per 1,000 jobs": self.descriptors_per_1000,
            "a job takes at most {:g} s of processor time": self.cpu_per_job_s,
            "memory stays below {:.0%} of its limit": self.memory_share,
        }
        return "; ".join(words.format(bound) for words, bound in parts.items() if bound is not None)

    def observe(self, history: History) -> pl.DataFrame:
        """`worker, sample_ns, ended`: how many executions each sampled worker ended up to a sample, and after the one before."""
        executions, columns = history.executions, history.columns
        moments = np.unique(np.concatenate([columns["time_ns"][columns.rows(kind)] for kind in SAMPLES]))
        sampled = {int(number) for kind in SAMPLES for number in np.unique(columns["text"][columns.rows(kind)])}
        names = dict(zip(history.processes["name"].to_list(), history.workers.tolist(), strict=True))
        workers = [names[name] for name in map(history.text, sampled) if name in names]
        worker = history.workers[executions.process]
        mine = np.flatnonzero(np.isin(worker, workers) & (executions.end_kind > 0))
        place = np.searchsorted(moments, executions.alive_ns[mine])
        table = pl.DataFrame({"worker": worker[mine], "sample_ns": np.append(moments, NEVER)[place]})
        return table.group_by("worker", "sample_ns").agg(ended=pl.len())

    def weigh(self, observed: pl.DataFrame, history: History) -> Evidence:
        """The processes beyond a bound, by how far."""
        judged, bad = 0, []
        numbers = dict(zip(history.processes["name"].to_list(), history.workers.tolist(), strict=True))
        for kind, bound, unit, name, rows in self._series(history):
            figure = self._figure(history, kind, rows, _ended(observed, numbers.get(name, -1)))
            if figure is None:
                continue
            judged += 1
            if figure > bound:
                bad.append(
                    (
                        int(rows[-1]),
                        figure / bound if bound else float("inf"),
                        f"{name}: {figure:.4g} {unit}, more than {bound:g}",
                    )
                )
        found = offences(
            pl.col("reason"),
            job=None,
            row=np.array([row for row, _, _ in bad], np.int64),
            weight=np.array([weight for _, weight, _ in bad], np.float64),
            reason=pl.Series([reason for _, _, reason in bad], dtype=pl.String),
        )
        return Evidence(judged, found, 0, {"judged": judged, "over": len(bad)})

    def _series(self, history: History) -> Iterator[tuple[Kind, float, str, str, Int64s]]:
        """Each process's samples of what has a bound: kind, bound, unit, the worker's name, rows."""
        columns = history.columns
        bounds = (
            (Kind.RESOURCE_MEMORY, self.memory_per_1000, "bytes per 1,000 jobs"),
            (Kind.RESOURCE_DESCRIPTORS, self.descriptors_per_1000, "descriptors per 1,000 jobs"),
            (Kind.RESOURCE_CPU, self.cpu_per_job_s, "s of processor time per job"),
            (Kind.RESOURCE_MEMORY_LIMIT, self.memory_share, "of its memory limit"),
        )
        for kind, bound, unit in bounds:
            rows = columns.rows(kind if kind is not Kind.RESOURCE_MEMORY_LIMIT else Kind.RESOURCE_MEMORY)
            for process in np.unique(columns["group"][rows]) if bound is not None else ():
                mine = rows[columns["group"][rows] == process]
                yield kind, bound or 0.0, unit, history.text(int(columns["text"][mine[0]])), mine

    def _figure(self, history: History, kind: Kind, rows: Int64s, ended: tuple[Int64s, Int64s]) -> float | None:
        """What is compared with the bound; None where too little is known."""
        columns = history.columns
        values = columns["value"][rows].astype(np.float64)
        if kind is Kind.RESOURCE_MEMORY_LIMIT:
            limits = columns.rows(kind)
            mine = limits[columns["group"][limits] == columns["group"][rows[0]]]
            return float(values.max() / columns["value"][mine[-1]]) if len(mine) else None
        kept = slice(int(len(rows) * WARM_UP), None)
        jobs, values = _jobs_by(columns["time_ns"][rows[kept]], *ended), values[kept]
        if len(jobs) < 2 or jobs[-1] - jobs[0] < self.fewest_jobs:
            return None
        if kind is Kind.RESOURCE_CPU:
            return float((values[-1] - values[0]) / NS_PER_S / (jobs[-1] - jobs[0]))
        return float(np.polyfit(jobs, values, 1)[0] * 1000)

    def broken(self, figures: Mapping[str, int]) -> str:
        """How many were beyond."""
        return f"{figures['over']} of {figures['judged']} figures of worker processes are beyond their bound"

    def kept(self, figures: Mapping[str, int]) -> str:
        """How many were judged."""
        return f"{figures['judged']} figures of worker processes are within their bounds"


def _ended(observed: pl.DataFrame, worker: int) -> tuple[Int64s, Int64s]:
    """`samples_ns, total`: of one worker, how many executions had ended by each of these moments."""
    mine = observed.filter(pl.col("worker") == worker).group_by("sample_ns").agg(pl.col("ended").sum()).sort("sample_ns")
    return mine["sample_ns"].to_numpy(), np.cumsum(mine["ended"].to_numpy(), dtype=np.int64)


def _jobs_by(times_ns: Int64s, samples_ns: Int64s, total: Int64s) -> npt.NDArray[np.float64]:
    """How many executions had ended by each of these moments."""
    place = np.searchsorted(samples_ns, times_ns, side="right")
    return np.append(0, total)[place].astype(np.float64)
