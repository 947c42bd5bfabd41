"""What a run would do, in words: what would be started, sent and hit, and when. Nothing is touched."""

from __future__ import annotations

from collections.abc import Iterator

from jobharness.faults.fault import PROCESS
from jobharness.runner.outsiders import Outsiders
from jobharness.runner.parts import ArmedFault, Parts
from jobharness.scenario.model import FaultSpec
from jobharness.workload.plan import planned_jobs

__all__ = ["rehearse", "when"]


def rehearse(parts: Parts) -> Iterator[str]:
    """The plan of a run, a line each."""
    scenario = parts.scenario
    queue, broker = scenario.queue, scenario.broker
    yield scenario.title
    yield f"  seed       {scenario.seed}"
    yield f"  broker     {broker.kind}, " + (
        f"given by URL {parts.broker.url}" if broker.url else "started for the run on loopback"
    )
    yield f"  workers    {queue.workers} x {queue.adapter} ({queue.app}), restarted: {queue.restart}"
    planned = planned_jobs(scenario.workload, scenario.seed, project=parts.project)
    jobs = sum(len(one.get("links", "1")) for one in planned)
    lasting = f" within {scenario.workload.duration:g} s" if scenario.workload.duration else ""
    yield f"  workload   {jobs} jobs{lasting}"
    for cron in scenario.workload.cron:
        yield f"  schedule   {cron.entry}, every {cron.every:g} s, by the app's own scheduler"
    for armed, spec in zip(parts.faults, scenario.fault, strict=True):
        yield f"  fault      {_fault(armed, spec)}"
        if (target := str(spec.details.get("target", ""))).startswith(PROCESS):
            yield f"             would strike {Outsiders(scenario).told(target.removeprefix(PROCESS))}"
    for contract in parts.contracts:
        yield f"  contract   {contract.name}: {contract.promise}"
    if scenario.control:
        yield "  control    the same without faults runs first"


def _fault(armed: ArmedFault, spec: FaultSpec) -> str:
    details = ", ".join(f"{name} {value}" for name, value in spec.details.items())
    what = f"{armed.label}: {spec.kind}" + (f" ({details})" if details else "")
    lasts = (
        "" if not armed.fault.lasting else f", for {spec.lasts:g} s" if spec.lasts is not None else ", to the end of the workload"
    )
    times = "" if spec.times == 1 else f", at most {spec.times} times" if spec.times != "always" else ", again and again"
    return f"{what}, {when(spec)}{lasts}{times}"


def when(spec: FaultSpec) -> str:
    """The trigger in words."""
    if spec.on is not None:
        of = "".join(f" of {word}" for word in (spec.task, spec.worker) if word)
        when = f"at {spec.on}{of}" + (f" number {spec.nth}" if spec.nth > 1 else "")
        when += f", {spec.every:g} s apart" if spec.every is not None else ""
    elif spec.after is not None:
        when = f"after {spec.after}"
    elif spec.rate is not None:
        when = f"at random, {spec.rate:g} a second"
    elif spec.at is not None:
        when = f"{spec.at:g} s after the first arrival" + (f", then every {spec.every:g} s" if spec.every is not None else "")
    else:
        when = f"every {spec.every:g} s"
    chance = f" with probability {spec.probability:g}" if spec.probability < 1 else ""
    return when + (f" and {spec.delay:g} s more" if spec.delay else "") + chance
