"""Name -> kind, imported only when asked for.

Third parties add kinds by the entry-point groups `jobharness.queues` and `jobharness.brokers`; ours come first.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from random import Random
from typing import Any

from jobharness.brokers.broker import Broker, LivesInFolder
from jobharness.contracts.contract import Contract
from jobharness.errors import ExtraMissing, InvalidRequest, ScenarioInvalid, UnknownName, nearest
from jobharness.faults.fault import PROCESS, AtStep, Fault
from jobharness.faults.trigger import Trigger
from jobharness.metrics.names import DEFINITIONS
from jobharness.processes.disk import may_mount
from jobharness.queues.queue import Queue, reported_kinds
from jobharness.runner.ceilings import check_ceilings
from jobharness.runner.clocks import ClockPlan
from jobharness.runner.guard import Guard
from jobharness.runner.parts import ArmedFault, Parts
from jobharness.runner.watch import Watch
from jobharness.scenario.model import BrokerSpec, ContractSpec, FaultSpec, Scenario
from jobharness.wire.match import PREFIX
from jobharness.wire.plan import WirePlan, checked_step, translated
from jobharness.wire.statements import Statements

__all__ = ["BROKERS", "FAULTS", "METRICS", "QUEUES", "assemble", "broker_kind", "names", "queue_kind"]

QUEUES = {
    "apscheduler": "jobharness.queues.apscheduler:ApschedulerQueue",
    "arq": "jobharness.queues.arq:ArqQueue",
    "celery": "jobharness.queues.celery:CeleryQueue",
    "django-q2": "jobharness.queues.django_q2:DjangoQ2Queue",
    "dramatiq": "jobharness.queues.dramatiq:DramatiqQueue",
    "huey": "jobharness.queues.huey:HueyQueue",
    "pgqueuer": "jobharness.queues.pgqueuer:PgqueuerQueue",
    "procrastinate": "jobharness.queues.procrastinate:ProcrastinateQueue",
    "python": "jobharness.queues.python:PythonQueue",
    "rq": "jobharness.queues.rq:RqQueue",
    "saq": "jobharness.queues.saq:SaqQueue",
    "taskiq": "jobharness.queues.taskiq:TaskiqQueue",
}
BROKERS = {
    "nats": "jobharness.brokers.nats:NatsBroker",
    "postgres": "jobharness.brokers.postgres:PostgresBroker",
    "rabbitmq": "jobharness.brokers.rabbitmq:RabbitmqBroker",
    "redis": "jobharness.brokers.redis:RedisBroker",
    "sqlite": "jobharness.brokers.sqlite:SqliteBroker",
}
FAULTS = {
    "bandwidth": "jobharness.faults.bandwidth:Bandwidth",
    "broker_full": "jobharness.faults.broker_full:BrokerFull",
    "broker_kill": "jobharness.faults.broker_kill:BrokerKill",
    "broker_pause": "jobharness.faults.broker_pause:BrokerPause",
    "broker_refuse": "jobharness.faults.broker_refuse:BrokerRefuse",
    "broker_restart": "jobharness.faults.broker_restart:BrokerRestart",
    "connection_limit": "jobharness.faults.connection_limit:ConnectionLimit",
    "clock": "jobharness.faults.clock:MovedClock",
    "corruption": "jobharness.faults.corruption:Corruption",
    "delay_message": "jobharness.faults.delay_message:DelayMessage",
    "disk": "jobharness.faults.disk:DiskFull",
    "drop": "jobharness.faults.drop:Drop",
    "end_sessions": "jobharness.faults.end_sessions:EndSessions",
    "kill": "jobharness.faults.kill:Kill",
    "latency": "jobharness.faults.latency:Latency",
    "lose_message": "jobharness.faults.lose_message:LoseMessage",
    "lose_reply": "jobharness.faults.lose_reply:LoseReply",
    "partition": "jobharness.faults.partition:Partition",
    "pause": "jobharness.faults.pause:Pause",
    "deploy": "jobharness.faults.deploy:Deploy",
    "memory": "jobharness.faults.memory:MemoryLimit",
    "task": "jobharness.faults.task:TaskGoesWrong",
    "repeat_message": "jobharness.faults.repeat_message:RepeatMessage",
    "reset": "jobharness.faults.reset:Reset",
    "slow_close": "jobharness.faults.slow_close:SlowClose",
    "terminate": "jobharness.faults.terminate:Terminate",
    "upstream": "jobharness.faults.upstream:UpstreamMisbehaves",
}
WATCHES = {
    "budget": "jobharness.integrations.budget:ErrorBudget",
    "health": "jobharness.integrations.health:HealthProbe",
    "prometheus": "jobharness.integrations.prometheus:PrometheusWatch",
    "sentry": "jobharness.integrations.sentry:SentryIngest",
}
DELIVERIES = {
    "at-least-once": "at_least_once:AtLeastOnce",
    "at-most-once": "at_most_once:AtMostOnce",
    "exactly-once": "exactly_once:ExactlyOnce",
}
# Key of [contract] -> the contract, and what it is made with. A key with several parts makes a contract of each.
CONTRACTS: dict[str, tuple[str, Callable[[Any], dict[str, Any]]]] = {
    "effect": ("exactly_once_effect:ExactlyOnceEffect", lambda s: {"tasks": s.tasks}),
    "max_attempts": ("attempts_bounded:AttemptsBounded", lambda s: {"max_attempts": s}),
    "backoff": ("backoff:Backoff", lambda s: {"first_s": s.first, "factor": s.factor, "cap_s": s.cap, "jitter": s.jitter}),
    "time_limit": ("time_limit:TimeLimit", lambda s: {"soft_s": s.soft, "hard_s": s.hard, "grace_s": s.grace, "tasks": s.tasks}),
    "rate_limit": ("rate_limit:RateLimit", lambda s: {"limit": s.at_most, "window_s": s.within, "per": s.per}),
    "upstream_rate_limit": ("rate_limit:UpstreamRateLimit", lambda s: {"limit": s.at_most, "window_s": s.within, "per": s.per}),
    "concurrency": ("concurrency_limit:ConcurrencyLimit", lambda s: {"limit": s.at_most, "per": s.per}),
    "lease": ("lease:Lease", lambda s: {}),
    "not_before": ("not_before:NotBefore", lambda s: {"tolerance_s": s}),
    "deadline": ("deadline:Deadline", lambda s: {"within_s": s}),
    "schedule_lateness": ("schedule_lateness:ScheduleLateness", lambda s: {"within_s": s}),
    "links": ("no_link_lost:NoLinkLost", lambda s: {}),
    "once_per_delivery": ("once_per_delivery:OncePerDelivery", lambda s: {}),
    "one_run_per_tick": ("one_run_per_tick:OneRunPerTick", lambda s: {}),
    "fifo_per_key": ("fifo_per_key:FifoPerKey", lambda s: {}),
    "priority": ("priority:Priority", lambda s: {"allowed": s}),
    "starvation": ("starvation:Starvation", lambda s: {"within_s": s}),
    "dead_letters": ("dead_letters:DeadLetters", lambda s: {"reported": s == "kept and reported"}),
    "poison": (
        "poison_contained:PoisonContained",
        lambda s: {"tasks": s.tasks, "max_delay_s": s.max_delay, "max_workers_lost": s.max_workers_lost},
    ),
    "throughput": ("throughput_recovery:ThroughputRecovery", lambda s: {"within_s": s.within, "share": s.share}),
    "drain": ("drain_time:DrainTime", lambda s: {"within_s": s}),
    "graceful_stop": ("graceful_stop:GracefulStop", lambda s: {"within_s": s}),
    "workers_stay_up": ("workers_stay_up:WorkersStayUp", lambda s: {}),
    "resources": (
        "resources:Resources",
        lambda s: {
            "memory_per_1000": s.memory_per_1000_jobs,
            "descriptors_per_1000": s.descriptors_per_1000_jobs,
            "cpu_per_job_s": s.cpu_per_job,
            "memory_share": s.memory_share,
            "fewest_jobs": s.fewest_jobs,
        },
    ),
    "failures_visible": ("failures_visible:FailuresVisible", lambda s: {}),
    "reported": ("reported:Reported", lambda s: {"times": s.sentry}),
    "health": ("health:HealthHonest", lambda s: {"within_s": s}),
    "invariant": ("invariant:InvariantHolds", lambda s: {"invariant": s.name}),
    "alert": ("alarm:AlarmRings", lambda s: {"alert": s.name, "within_s": s.within, "fault": s.fault}),
}
METRICS = tuple(name for definition in DEFINITIONS for name in definition.names)


def names(group: str, ours: dict[str, str]) -> dict[str, str]:
    """Every kind of a group by name: `module:class`."""
    return {**_installed(group), **ours}


@cache
def _installed(group: str) -> dict[str, str]:
    """Those of other packages. Every package's metadata is read for it, and a crash map asks for each of its trials."""
    return {entry.name: entry.value for entry in entry_points(group=f"jobharness.{group}")}


def _load(noun: str, name: str, known: dict[str, str]) -> Any:
    if name not in known:
        raise UnknownName(noun, name, known)
    module, _, attribute = known[name].partition(":")
    return getattr(importlib.import_module(module), attribute)


@contextmanager
def _naming(where: str, key: str) -> Iterator[None]:
    """A name that nothing answers to is a mistake in that key of the scenario."""
    try:
        yield
    except UnknownName as error:
        raise ScenarioInvalid(where, key, str(error)) from None


def queue_kind(name: str) -> type[Queue]:
    """The queue adapter called `name`. Raises: UnknownName."""
    kind: type[Queue] = _load("queue adapter", name, names("queues", QUEUES))
    return kind


def broker_kind(name: str) -> type[Broker]:
    """The kind of broker called `name`. Raises: UnknownName."""
    kind: type[Broker] = _load("kind of broker", name, names("brokers", BROKERS))
    return kind


def assemble(scenario: Scenario, project: Path, source: Path | None = None) -> Parts:
    """Choose and make every kind that the scenario names. Starts nothing.

    Raises: InvalidRequest (UnknownName, ExtraMissing, ScenarioInvalid): the scenario cannot be run; PortTaken.
    """
    where = str(source) if source is not None else "scenario"
    Guard(scenario, where).check()
    check_ceilings(scenario, project, where)
    with _naming(where, "queue.adapter"):
        adapter = queue_kind(scenario.queue.adapter)
    if scenario.broker.kind not in adapter.brokers:
        pairs = ", ".join(adapter.brokers)
        raise ScenarioInvalid(
            where, "broker.kind", f"{adapter.library} does not run on {scenario.broker.kind!r} here; it runs on: {pairs}"
        )
    for name in scenario.gate:
        if name not in METRICS:
            guess = nearest(name, METRICS)
            hint = f"; did you mean {guess!r}?" if guess else ""
            raise ScenarioInvalid(where, f"gate.{name}", f"there is no such metric{hint} (known: {', '.join(METRICS)})")
    _check_shapes(scenario, adapter, where)
    if (
        scenario.queue.scheduler is not None
        and not scenario.queue.scheduler.command
        and not hasattr(adapter, "scheduler_command")
    ):
        problem = (
            f"{adapter.library} has no scheduler that always starts by the same command: where its workers send the periodic "
            "jobs, leave this out; where a process of its own does, give its `command`"
        )
        raise ScenarioInvalid(where, "queue.scheduler", problem)
    faults = _arm_all(scenario, where)
    if scenario.broker.hosts:
        raise ScenarioInvalid(where, "broker.hosts", 'write `hosts` at the top, beside environment = "staging"')
    broker = broker_kind(scenario.broker.kind)(scenario.broker.model_copy(update={"hosts": scenario.hosts}))
    return Parts(
        scenario=scenario,
        source=source,
        project=project,
        queue=adapter(scenario.queue),
        broker=broker,
        faults=faults,
        contracts=_contracts(scenario, adapter, [fault.label for fault in faults], where),
        wire=_wire(scenario, broker, adapter, faults, where),
        watches=_watches(scenario, project),
        clock=_clock(scenario, faults, where),
        database=lambda url: _database(scenario, url),
        peers=_peers(scenario),
        disk_bytes=_disk_bytes(scenario, faults, where),
    )


def _peers(scenario: Scenario) -> dict[str, Broker]:
    """The servers to be started for the app's own data. Raises: ExtraMissing."""
    if any(peer.kind == "http" for peer in scenario.peer) and importlib.util.find_spec("h11") is None:
        raise ExtraMissing("h11", "upstream", "a [[peer]] of the kind 'http'")
    return {peer.name: broker_kind(peer.kind)(BrokerSpec(kind=peer.kind)) for peer in scenario.peer if peer.kind == "postgres"}


def _database(scenario: Scenario, url: str) -> Broker:
    """What the app keeps its own data in. Raises: InvalidRequest for an address that is not to be reached, or of another kind."""
    scheme = url.partition(":")[0].partition("+")[0]
    kind = {"sqlite": "sqlite", "postgres": "postgres", "postgresql": "postgres"}.get(scheme)
    if kind is None:
        raise InvalidRequest(f"an invariant is asked of a SQLite file or of PostgreSQL, and {scheme}:// is neither")
    spec = BrokerSpec(kind=kind, url=url)
    return broker_kind(kind)(spec.model_copy(update={"hosts": scenario.hosts}))


def _check_shapes(scenario: Scenario, adapter: type[Queue], where: str) -> None:
    """Refuse a chain, group or chord that the library has no means of its own for. Raises: ScenarioInvalid."""
    for index, job in enumerate(scenario.workload.job):
        if job.shape == "single" or job.shape in getattr(adapter, "shapes", ()):
            continue
        able = [name for name in names("queues", QUEUES) if job.shape in getattr(queue_kind(name), "shapes", ())]
        problem = f"{adapter.library} has no {job.shape} that the agent could send; these have one: {', '.join(able)}"
        raise ScenarioInvalid(where, f"workload.job[{index}]", problem)


def _arm_all(scenario: Scenario, where: str) -> tuple[ArmedFault, ...]:
    labels = [spec.name or f"{spec.kind}#{index + 1}" for index, spec in enumerate(scenario.fault)]
    for index, (label, spec) in enumerate(zip(labels, scenario.fault, strict=True)):
        if labels.count(label) > 1:
            raise ScenarioInvalid(where, f"fault[{index}].name", f"two faults are called {label!r}")
        if spec.after is not None and spec.after not in labels:
            raise ScenarioInvalid(where, f"fault[{index}].after", str(UnknownName("fault", spec.after, labels)))
    return tuple(
        _arm(scenario, f"fault[{index}]", label, spec, where)
        for index, (label, spec) in enumerate(zip(labels, scenario.fault, strict=True))
    )


def _arm(scenario: Scenario, key: str, label: str, spec: FaultSpec, where: str) -> ArmedFault:
    with _naming(where, f"{key}.kind"):
        kind: type[Fault] = _load("kind of fault", spec.kind, FAULTS)
    for need in getattr(kind, "needs", ()):
        if need == "mishaps" and not getattr(queue_kind(scenario.queue.adapter), "mishaps", False):
            able = ", ".join(name for name in QUEUES if getattr(queue_kind(name), "mishaps", False))
            reason = (
                f"the agent does not run inside the tasks of {scenario.queue.adapter}, so it cannot let them go wrong. "
                f"It can in: {able}; an adapter of yours can with an agent module that has AROUND, and mishaps = True"
            )
            raise ScenarioInvalid(where, key, reason)
        if need == "upstream" and scenario.upstream is None:
            raise ScenarioInvalid(where, key, f"the fault {spec.kind!r} needs an [upstream], and the scenario has none")
    try:
        fault, trigger = kind(**spec.details), Trigger(spec, Random(f"{scenario.seed}:{label}:trigger"), label)
    except TypeError:
        allowed = [name for name in kind.__init__.__annotations__ if name != "return"]
        wrong = next((name for name in spec.details if name not in allowed), "")
        known = sorted({*allowed, *(field.alias or name for name, field in FaultSpec.model_fields.items())})
        guess = nearest(wrong, known)
        hint = f"; did you mean {guess!r}?" if guess else ""
        raise ScenarioInvalid(where, f"{key}.{wrong}", f"unknown key{hint} (known here: {', '.join(known)})") from None
    except InvalidRequest as error:
        raise ScenarioInvalid(where, key, str(error)) from error
    if spec.lasts is not None and not fault.lasting:
        raise ScenarioInvalid(where, f"{key}.for", f"{spec.kind!r} is over at once; `for` goes with faults that last")
    if spec.on is not None and spec.on.startswith("upstream.") and scenario.upstream is None:
        raise ScenarioInvalid(where, f"{key}.on", f"{spec.on!r} is about the [upstream], and the scenario has none")
    target = str(spec.details.get("target", ""))
    if target.startswith(PROCESS):
        name, known = target.removeprefix(PROCESS), [process.name for process in scenario.process]
        if name not in known:
            raise ScenarioInvalid(where, f"{key}.target", str(UnknownName("[[process]]", name, known)))
        if fault.lasting:
            problem = f"{spec.kind!r} lasts, and nothing would undo it if this process were killed; kill or terminate instead"
            raise ScenarioInvalid(where, f"{key}.target", problem)
    if target.startswith("scheduler") and scenario.queue.scheduler is None:
        problem = "the scenario has no scheduler; add [queue.scheduler], or, where the workers send the ticks, target those"
        raise ScenarioInvalid(where, f"{key}.target", problem)
    _check_broker(scenario, key, fault, where)
    times = None if spec.times == "always" else spec.times
    lasts_s = spec.lasts if spec.lasts is not None else getattr(fault, "lasts_s", None)
    return ArmedFault(label, fault, trigger, lasts_s, _step(scenario, key, spec, fault, where), times)


def _check_broker(scenario: Scenario, key: str, fault: Fault, where: str) -> None:
    """Refuse what this broker cannot do, or what would change a server that is not the run's. Raises: ScenarioInvalid."""
    ability = getattr(fault, "on_broker", None)
    if ability is not None and not issubclass(broker_kind(scenario.broker.kind), ability):
        able = ", ".join(name for name in sorted(BROKERS) if issubclass(broker_kind(name), ability))
        here = f"{fault.kind!r}, as it is written here, is not for the broker {scenario.broker.kind!r}"
        raise ScenarioInvalid(where, key, f"the fault {here}; it works on: {able}")
    if getattr(fault, "changes_broker", False) and scenario.broker.url is not None:
        problem = (
            f"the fault {fault.kind!r} changes the server itself, and this one was given by URL: others may use it. Leave "
            "broker.url out to have a server started, or use 'broker_refuse' or 'partition', which keep the app from it"
        )
        raise ScenarioInvalid(where, key, problem)


def _step(scenario: Scenario, key: str, spec: FaultSpec, fault: Fault, where: str) -> str | None:
    """The message that triggers a fault, in the protocol's own words; None where something else does."""
    if spec.on is None or not spec.on.startswith(PREFIX):
        if isinstance(fault, AtStep):
            raise ScenarioInvalid(where, f"{key}.on", f'{spec.kind!r} strikes at a message: on = "{PREFIX}ack job=any"')
        return None
    if isinstance(fault, AtStep):
        # The proxy strikes by itself, and knows nothing of what chooses among events.
        for name in ("task", "worker", "nth", "every", "delay", "probability"):
            if name in spec.model_fields_set:
                hint = f"write it into `on`, as in {PREFIX}ack by=worker-1 nth=3 job=any"
                raise ScenarioInvalid(where, f"{key}.{name}", f"does not go with {spec.kind!r}; {hint}")
    own_words = getattr(queue_kind(scenario.queue.adapter), "steps", {}).get(scenario.broker.kind, {})
    return translated(spec.on.removeprefix(PREFIX), own_words)


def _wire(
    scenario: Scenario, broker: Broker, adapter: type[Queue], faults: tuple[ArmedFault, ...], where: str
) -> WirePlan | None:
    """The proxy that the faults need, every step checked against its protocol."""
    on_wire = [f for f in faults if f.step is not None or getattr(f.fault, "on_wire", False)]
    if not on_wire:
        return None
    own_words = getattr(adapter, "steps", {}).get(scenario.broker.kind, {})
    network = [fault for fault in on_wire if getattr(fault.fault, "on_wire", False) and not isinstance(fault.fault, AtStep)]
    if isinstance(broker, LivesInFolder) and network:
        problem = (
            f"there is no connection to {broker.kind!r} that could be disturbed; faults of the network need a server. "
            f'Faults at a statement work: on = "{PREFIX}COMMIT job=any"'
        )
        raise ScenarioInvalid(where, f"fault {network[0].label!r}", problem)
    try:
        if isinstance(broker, LivesInFolder):
            plan = WirePlan(Statements.framing, gated=True)
        else:
            plan = WirePlan.before(broker.url, gated=any(fault.step is not None for fault in on_wire))
        for fault in on_wire:
            if fault.step is not None:
                checked_step(fault.step, plan.framing, own_words)
    except InvalidRequest as error:
        raise ScenarioInvalid(where, f"fault {on_wire[0].label!r}", str(error)) from error
    return plan


def _watches(scenario: Scenario, project: Path) -> tuple[Watch, ...]:
    """What looks at the run from outside, where the scenario asks for it. Raises: ExtraMissing; EnvironmentFailed."""
    found: list[Watch] = []
    alarmed = scenario.prometheus is not None or scenario.contract.alert
    if alarmed or any(probe.metric for probe in scenario.abort.probe):
        _check_prometheus_client("an alarm" if alarmed else "a probe of a metric")
    if scenario.abort.probe:
        found.append(_load("watch", "budget", WATCHES)(scenario.abort.probe))
    if scenario.contract.reported is not None:
        found.append(_load("watch", "sentry", WATCHES)())
    if scenario.contract.health is not None and scenario.service is not None:
        found.append(_load("watch", "health", WATCHES)(scenario.service.health))
    if alarmed:
        found.append(_load("watch", "prometheus", WATCHES)(scenario, project))
    return tuple(found)


def _check_prometheus_client(needed_for: str) -> None:
    if importlib.util.find_spec("prometheus_client") is None:
        raise ExtraMissing("prometheus-client", "prometheus", needed_for)


def _clock(scenario: Scenario, faults: tuple[ArmedFault, ...], where: str) -> ClockPlan | None:
    """How the workers' clocks are moved, where a fault moves one."""
    moving = [fault for fault in faults if "clocks" in getattr(fault.fault, "needs", ())]
    if not moving:
        return None
    workers = [f"worker-{number}" for number in range(1, scenario.queue.workers + 1)]
    for armed in moving:
        target = getattr(armed.fault, "target", "all")
        if target not in ("worker", "all", *workers):
            raise ScenarioInvalid(
                where, f"fault {armed.label!r}.target", f"must be worker, all, or one of {', '.join(workers)}, not {target!r}"
            )
    try:
        return ClockPlan.through([getattr(fault.fault, "through", "") for fault in moving], scenario.queue.command)
    except InvalidRequest as error:
        raise ScenarioInvalid(where, f"fault {moving[0].label!r}", str(error)) from error


def _disk_bytes(scenario: Scenario, faults: tuple[ArmedFault, ...], where: str) -> int:
    """The size of the file system under the broker's data, where a fault needs one of its own; or 0."""
    filling = [fault for fault in faults if "disk" in getattr(fault.fault, "needs", ())]
    if not filling:
        return 0
    key = f"fault {filling[0].label!r}"
    if scenario.broker.url is not None:
        raise ScenarioInvalid(where, key, "the broker was given by URL, and its disk is not the run's; leave broker.url out")
    if scenario.broker.provider == "container":
        raise ScenarioInvalid(where, key, "a container keeps its data in itself; use a broker of this machine or from a wheel")
    if not may_mount():
        way = "unshare --map-root-user --mount jobharness run ..."
        raise ScenarioInvalid(where, key, f"to mount a file system of its own takes root, or, with Redis and SQLite: {way}")
    sizes: set[int] = {getattr(fault.fault, "size_bytes", 0) for fault in filling}
    if len(sizes) > 1:
        raise ScenarioInvalid(where, key, f"the run has one such disk; the faults ask for sizes of {sorted(sizes)} bytes")
    return sizes.pop()


def _contracts(scenario: Scenario, adapter: type[Queue], labels: list[str], where: str) -> tuple[Contract, ...]:
    from jobharness.contracts.faults_hit import FaultsHit
    from jobharness.contracts.no_phantoms import NoPhantoms
    from jobharness.contracts.observed import Observed

    found: list[Contract] = [Observed(), FaultsHit(tuple(labels)), NoPhantoms()]
    crons = tuple((cron.entry, cron.every) for cron in scenario.workload.cron)
    linked = any(job.shape in ("chain", "chord") for job in scenario.workload.job)
    for key, contract in _asked(scenario.contract, bool(labels), linked, crons):
        _check_needs(scenario, adapter, key, contract, where)
        found.append(contract)
    return tuple(found)


def _asked(
    spec: ContractSpec, faulty: bool, linked: bool, crons: tuple[tuple[str, float], ...]
) -> Iterator[tuple[str, Contract]]:
    """Each contract that is asked for, with its key."""
    if linked and not spec.links and spec.delivery in ("at-least-once", "exactly-once"):
        yield "links", _contract("no_link_lost:NoLinkLost", {})
    if spec.delivery is not None:
        yield "delivery", _contract(DELIVERIES[spec.delivery], {})
    if crons:
        yield "one_run_per_tick", _contract("one_run_per_tick:OneRunPerTick", {"expected": crons})
    for key, (name, arguments) in CONTRACTS.items():
        asked = getattr(spec, key) if key != "one_run_per_tick" or not crons else None
        if key == "alert" and asked and not faulty:
            # Where nothing goes wrong there is nothing to ring for: neither these nor any other.
            yield key, _contract("alarm:AlarmsQuiet", {})
            continue
        for one in asked if isinstance(asked, tuple) else (asked,):
            if one is not None and one is not False:
                yield key, _contract(name, arguments(one))
    # Without faults there is nothing to recover from; `recovery` then bounds the drain alone.
    if spec.recovery is not None and faulty:
        yield "recovery", _contract("recovery:Recovery", {"within_s": spec.recovery})
    if spec.time_limit is not None and spec.time_limit.slot_freed is not None:
        yield "time_limit.slot_freed", _contract("slots_freed:SlotsFreed", {"within_s": spec.time_limit.slot_freed})


def _contract(name: str, arguments: dict[str, Any]) -> Contract:
    module, _, attribute = name.partition(":")
    contract: Contract = getattr(importlib.import_module(f"jobharness.contracts.{module}"), attribute)(**arguments)
    return contract


def _check_needs(scenario: Scenario, adapter: type[Queue], key: str, contract: Contract, where: str) -> None:
    """Refuse a contract that could never be decided. Raises: ScenarioInvalid."""
    missing = sorted(kind.name_ for kind in contract.needs - reported_kinds(adapter))
    if missing:
        needs = ", ".join(sorted(kind.name_ for kind in contract.needs))
        raise ScenarioInvalid(
            where, f"contract.{key}", f"{adapter.library} does not report {', '.join(missing)}; {contract.name} needs: {needs}"
        )
    if scenario.upstream is None and any(kind.name.startswith("UPSTREAM_") for kind in contract.needs):
        raise ScenarioInvalid(
            where, f"contract.{key}", f"{contract.name} judges upstream calls, and the scenario has no [upstream]"
        )
