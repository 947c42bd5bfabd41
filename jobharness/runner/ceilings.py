"""What a load may come to in staging, before anything is started: others live there."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random

from jobharness.clock import NS_PER_S
from jobharness.errors import ScenarioInvalid
from jobharness.scenario.model import Scenario
from jobharness.workload.arrivals import DAILY_CURVE, ArrivalProcess, arrivals_ns
from jobharness.workload.trace import replayed

__all__ = ["check_ceilings", "check_load"]


def check_ceilings(scenario: Scenario, project: Path, where: str) -> None:
    """Refuse a workload beyond the scenario's `[limits]`, in staging alone. Reads a trace. Raises: ScenarioInvalid."""
    if scenario.environment != "staging":
        return
    workload, most = scenario.workload, scenario.limits.jobs
    weights = sum(job.weight for job in workload.job) or 1.0
    each = sum(job.weight * job.burst * max(1, len(job.tasks)) for job in workload.job) / weights or 1.0
    if workload.arrivals is not None:
        moments = arrivals_ns(workload.arrivals, workload.duration or float("inf"), Random(scenario.seed))
        jobs = sum(1 for _ in islice(moments, int(most / each) + 1)) * each
        check_load(scenario, where, rate=_highest(workload.arrivals) * each, jobs=jobs, duration_s=workload.duration)
    elif workload.trace is not None:
        one_by_one = replayed(
            project / workload.trace, workload.speed, workload.scale, workload.duration, Random(f"{scenario.seed}:scale")
        )
        sent = [one.at_ns for one in islice(one_by_one, most + 1)]
        check_load(scenario, where, rate=_busiest(iter(sent)), jobs=len(sent), duration_s=sent[-1] / NS_PER_S if sent else 0.0)


def check_load(scenario: Scenario, where: str, *, rate: float = 0.0, jobs: float = 0.0, duration_s: float = 0.0) -> None:
    """Refuse a load beyond the scenario's `[limits]`, in staging alone: `rate` jobs a second at the most, `jobs` in all.

    Raises: ScenarioInvalid with what was seen, what is allowed, and the line that raises it.
    """
    if scenario.environment != "staging":
        return
    limits = scenario.limits
    asked = (
        ("rate", rate, limits.rate, f"{rate:g} jobs a second", f"{limits.rate:g}", f'"{rate:g}/s"'),
        ("jobs", jobs, limits.jobs, f"more than {limits.jobs} jobs", f"{limits.jobs}", "…"),
        ("duration", duration_s, limits.duration, f"{duration_s:g} s", f"{limits.duration:g} s", f'"{duration_s:g}s"'),
    )
    for name, value, most, seen, allowed, wanted in asked:
        if value > most:
            raise ScenarioInvalid(
                where,
                f"limits.{name}",
                f"the load comes to {seen}, and in staging at most {allowed} {'is' if name == 'rate' else 'are'} allowed. "
                f"Send less, or raise the ceiling: [limits] {name} = {wanted}",
            )


def _highest(arrivals: ArrivalProcess) -> float:
    """The highest rate that is asked for, arrivals a second. A backlog comes at once; a closed loop never sends more than is done
    beyond what may be in flight."""
    if arrivals.process == "backlog":
        return arrivals.jobs
    if arrivals.process == "closed":
        return arrivals.in_flight
    if arrivals.process == "spike":
        return arrivals.rate + arrivals.jobs / arrivals.within
    if arrivals.process == "daily":
        curve = arrivals.curve or DAILY_CURVE
        return arrivals.rate * max(curve) / (sum(curve) / len(curve))
    return max(arrivals.rate, arrivals.to)


def _busiest(moments_ns: Iterator[int]) -> float:
    """The most that arrive within one second."""
    window: deque[int] = deque()
    most = 0
    for moment in moments_ns:
        window.append(moment)
        while window[0] <= moment - NS_PER_S:
            window.popleft()
        most = max(most, len(window))
    return float(most)
