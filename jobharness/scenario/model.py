"""The Scenario: everything that one run is made of, as a value. The TOML file and the Python API are the same model.

It is one subject, and long because each key says what it promises: the docstrings are the schema's.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator

from jobharness.scenario.lease import LeaseSpec
from jobharness.scenario.part import Part
from jobharness.scenario.promises import ContractSpec
from jobharness.scenario.safety import AbortSpec, LimitsSpec
from jobharness.scenario.units import Duration, Quantity, Rate, Share, Size
from jobharness.scenario.workload import WorkloadSpec

__all__ = [
    "BrokerSpec",
    "ContractSpec",
    "CrashmapSpec",
    "FaultSpec",
    "GateSpec",
    "LeaseSpec",
    "PeerSpec",
    "ProcessSpec",
    "PrometheusSpec",
    "QueueSpec",
    "ReportSpec",
    "Scenario",
    "SchedulerSpec",
    "ServiceSpec",
    "UpstreamSpec",
    "WebhookSpec",
]


class SchedulerSpec(Part):
    """The process that sends the periodic jobs, such as `celery beat`, where it is one of its own."""

    count: int = Field(default=1, ge=1, le=8)
    """How many are started; most libraries want one, and `one_run_per_tick` tells what two do."""
    command: tuple[str, ...] = ()
    """Its command, where it is not the library's own."""


class QueueSpec(Part):
    """The system under test: which library, which app, how many workers."""

    adapter: str
    """Name of the queue library, such as "celery"."""
    app: str = Field(min_length=1)
    """The app as the library's own command names it, such as "shop.worker:app"."""
    workers: int = Field(default=1, ge=1, le=64)
    """How many worker commands are started."""
    concurrency: int | None = Field(default=None, ge=1)
    """Jobs that one worker runs at once; the library's default where it is left out."""
    pool: str | None = None
    """Kind of pool, where the library has several, such as "prefork" or "solo"."""
    arguments: tuple[str, ...] = ()
    """Further arguments of the worker's command."""
    command: tuple[str, ...] = ()
    """The worker's command, where it is not the library's own: a wrapper, a script, or a home-grown queue's worker."""
    settings: dict[str, Any] = {}
    """Settings laid over the app's own, by the names the library gives them."""
    setup: tuple[tuple[str, ...], ...] = ()
    """Commands run once before the first worker, such as migrations; the library's own where the broker is the
    run's."""
    methods: dict[str, str] = {}
    """Adapter "python": what a home-grown queue calls its put, reserve, run, settle, retry and bury."""
    ask: dict[str, str] = {}
    """Adapter "python": SQL for the broker: waiting, running, delayed, dead (each one number), held (job id, where)."""
    env: dict[str, str] = {}
    """Environment variables for workers, producer and service; {broker.url}, {upstream.url}, {peer.NAME} and {run.folder} are
    filled in."""
    memory_limit: Size | None = None
    """The memory that a worker's container has in production, such as "512MB"; `contract.resources.memory_share` and the alarm
    MemoryHigh go by it. Without it: the process's own limit, or the machine's memory."""
    python: str | None = None
    """A virtual environment, or an interpreter, in which the app lives; the harness's own where it is left out."""
    folder: str = "."
    """Working folder of the app, relative to the project."""
    ready_within: Duration = 30.0
    """How long a worker may take until it takes jobs."""
    scheduler: SchedulerSpec | None = None
    """The scheduler's process, started with the workers and stopped when the workload ends."""
    restart: Literal["always", "on-failure", "never"] = "always"
    """What a process manager does about a worker that exited, as systemd and Kubernetes have it."""
    restart_delay: Duration = 0.2
    """How long after an exit the replacement starts."""


class BrokerSpec(Part):
    """Where jobs wait, and how such a server is had."""

    kind: str
    """Name of the kind of broker, such as "redis"."""
    url: str | None = None
    """A server that runs already, on this machine; otherwise one is started: binary, wheel, container, in this
    order."""
    port: int | None = Field(default=None, ge=1, le=65535)
    """A fixed port for the server that is started; a free one where it is left out."""
    provider: Literal["binary", "wheel", "container"] | None = None
    """The one provider to use, instead of the first that can."""
    tls: bool = False
    """Whether the app reaches the server that is started by TLS alone, as in production; its certificate is made for the run, and
    {broker.url} tells clients not to check it. Redis."""
    image: str | None = None
    """The container's image, where it is started in one; the kind's own choice (such as "redis:7") where it is left
    out."""
    hosts: tuple[str, ...] = Field(default=(), exclude=True)
    """Not to be written here: the scenario's own `hosts`."""


class QuotaSpec(Part):
    """One quota of the upstream; who exceeds it gets a 429."""

    kind: Literal["token-bucket", "sliding-window", "concurrency"]
    """"token-bucket": bursts up to the limit; "sliding-window": exact for every window; "concurrency": requests at
    once."""
    limit: int = Field(ge=1)
    """Requests per window, or at once."""
    window: Duration = Field(default=1.0, gt=0)
    """The window; for "concurrency", what a 429 tells its caller to wait."""
    key: str = ""
    """A request header that tells callers apart; all are one where it is left out."""


NAME = "[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?"
Origin = Annotated[str, Field(pattern=f"^({NAME}|https?://{NAME}(:[0-9]{{1,5}})?)$")]


class UpstreamSpec(Part):
    """The HTTP API that jobs call: a server of its own, started for the run."""

    hosts: tuple[Origin, ...] = ()
    """Hosts that the app calls, such as "https://api.example.com": the agent leads those calls to the upstream, and the app
    keeps its URLs. A bare name is both http and https; a port goes with a scheme."""
    latency: Duration = 0.0
    """How long each answer takes."""
    quota: tuple[QuotaSpec, ...] = ()
    retry_after: Literal["seconds", "date", "none"] = "seconds"
    """How a 429 says when to come back."""
    limit_headers: bool = True
    """Whether a 429 carries X-RateLimit-Limit, -Remaining and -Reset."""
    idempotent: bool = False
    """Whether a request whose Idempotency-Key was seen before is answered again without taking effect again."""


class ServiceSpec(Part):
    """The app's own HTTP service, for jobs that enter through it."""

    command: tuple[str, ...] = Field(min_length=1)
    """Its command; {service.port} and the placeholders of queue.env are filled in."""
    health: str = "/health"
    """Path that answers 200 once it is up."""
    ready_within: Duration = 30.0
    """How long it may take until then."""


class ProcessSpec(Part):
    """A process of this machine that a fault may strike though the run does not start it: by a file with its id, or by its
    command line."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    """What faults call it: target = "process:NAME"."""
    pid_file: str | None = None
    """The file that holds its process id, as an absolute path."""
    match: str | None = None
    """A pattern that its whole command line fits, such as "*celery -A shop worker*"."""

    @model_validator(mode="after")
    def _one_way(self) -> ProcessSpec:
        if (self.pid_file is None) == (self.match is None):
            raise ValueError("a process is named by either `pid_file` or `match`")
        return self


class FaultSpec(Part):
    """What goes wrong, to whom, when. Keys beside these belong to the kind of fault."""

    model_config = ConfigDict(extra="allow", frozen=True, use_attribute_docstrings=True, validate_by_name=True)

    kind: str
    """Name of the fault, such as "kill"."""
    name: str | None = None
    """What the report and other faults call it; "kill#1" and so on where it is left out."""
    on: str | None = None
    """An event that triggers it, such as "job.running", a message, such as "broker.step:ack job=7", or a request of a
    job to the upstream, such as "upstream.request:POST /messages*"."""
    nth: int = Field(default=1, ge=1)
    """With `on`: the first such event to look at, counted from 1; earlier ones pass."""
    task: str | None = None
    """With `on`: only events of this task."""
    worker: str | None = None
    """With `on`: only events of this worker, such as "worker-1"."""
    at: Duration | None = None
    """A moment that triggers it, from the first arrival."""
    every: Duration | None = None
    """A period: alone it triggers by itself, with `on` it is the least time between two strikes."""
    rate: Rate | None = None
    """Strikes at random moments at this mean rate, from the seed."""
    after: str | None = None
    """The name of another fault: triggered when that one strikes."""
    delay: Duration = 0.0
    """How long after its trigger it strikes."""
    probability: float = Field(default=1.0, gt=0, le=1)
    """The share of its triggers that it follows, from the seed."""
    times: Annotated[int, Field(ge=1)] | Literal["always"] = 1
    """How often it strikes at most, or "always"."""
    lasts: Duration | None = Field(default=None, alias="for")
    """For a fault that lasts: until it is undone; to the end of the workload where it is left out."""

    @model_validator(mode="after")
    def _one_trigger(self) -> FaultSpec:
        given = [name for name in ("on", "at", "rate", "after") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"a fault has one trigger, not both `{given[0]}` and `{given[1]}`")
        if not given and self.every is None:
            raise ValueError(
                'a fault needs a trigger: on = "job.running", at = "5s", every = "2s", rate = "1/s" or after = "kill#1"'
            )
        if self.every is not None and given and given[0] in ("rate", "after"):
            raise ValueError(f"`every` goes with `on` or `at`, or alone, not with `{given[0]}`")
        if given == ["at"] and self.times != 1 and self.every is None:
            raise ValueError("`at` strikes once; for several strikes add `every`")
        if self.on is None and (self.nth > 1 or self.task is not None or self.worker is not None):
            raise ValueError("`nth`, `task` and `worker` choose among events, so they go with `on`")
        return self

    @property
    def details(self) -> dict[str, Any]:
        """The keys that belong to the kind of fault and not to its trigger."""
        return dict(self.model_extra or {})


class GateSpec(Part):
    """A limit on a metric, in its base unit: a duration such as "500ms", a rate such as "50/s", or a plain number."""

    max: Quantity | None = None
    """The most it may be."""
    min: Quantity | None = None
    """The least it may be."""
    regress: Share | None = None
    """The most it may be worse than before, such as "10%"; judged by comparisons of several runs only."""

    @model_validator(mode="after")
    def _some_limit(self) -> GateSpec:
        if self.max is None and self.min is None and self.regress is None:
            raise ValueError("a gate needs max, min or regress")
        return self


class PrometheusSpec(Part):
    """A Prometheus and an Alertmanager of the run's own, which scrape its metrics every second. Started where a scenario has this
    table, or a `contract.alert`."""

    rules: tuple[str, ...] = ()
    """Files of alert rules, relative to the project; the seven usual alarms where it is left out (`jobharness alarms`)."""
    scrape: tuple[str, ...] = ()
    """Further URLs to scrape, such as "{service.url}/metrics", for rules of your own."""
    hold: Duration = 2.0
    """Of the seven: how long a condition must hold until its alarm rings."""
    window: Duration = Field(default=10.0, gt=0)
    """Of QueueGrowing, ErrorRate, DeadLettersGrowing: over how long rates are taken."""
    oldest_job: Duration = 30.0
    """Of OldestJobTooOld: how long a job may wait."""
    growth: float = Field(default=1.0, ge=0)
    """Of QueueGrowing: by how many waiting jobs a second a queue may grow."""
    backlog: int = Field(default=50, ge=0)
    """Of QueueGrowing: how many may wait before growth matters."""
    error_share: Share = 0.05
    """Of ErrorRate: the share of executions that may raise."""
    dead_jobs: int = Field(default=0, ge=0)
    """Of DeadLettersGrowing: how many jobs may be given up within the window."""
    memory_share: Share = 0.85
    """Of MemoryHigh: the share of its memory limit that a worker may use."""


class WebhookSpec(Part):
    """Where the verdict is posted when the run is over. What becomes of it never changes the exit code."""

    url: str = ""
    """Its address."""
    url_env: str = ""
    """Instead: the environment variable that holds the address, where that is a secret."""
    shape: Literal["json", "slack", "zapier"] = "json"
    """"json": nested; "zapier": flat, for a catch hook; "slack": a message for an incoming webhook."""
    secret_env: str = ""
    """The environment variable that holds the secret of the signature; unsigned where it is left out."""

    @model_validator(mode="after")
    def _one_address(self) -> WebhookSpec:
        if bool(self.url) == bool(self.url_env):
            raise ValueError("a webhook has either `url` or `url_env`")
        if self.url and not self.url.startswith(("http://", "https://")):
            raise ValueError("the `url` of a webhook begins with http:// or https://")
        return self


class ReportSpec(Part):
    """What a report shows."""

    mask: tuple[str, ...] = ()
    """Further names of settings and arguments whose values are secret, such as "card_number"; passwords, tokens and
    keys always are."""


class PeerSpec(Part):
    """Whom the app's jobs speak to beside the broker: in a crash map, their messages to it are steps, too. An [upstream] is one
    without being declared."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    """What it is called; the app is told the address of one that has any by {peer.NAME} in `queue.env`."""
    kind: Literal["sqlite", "postgres", "http"] = "sqlite"
    """What it is: a SQLite file, whose statements the agent sees; a PostgreSQL server that is started for the run, with a
    database of its own for each trial of a map; an HTTP API that runs already."""
    database: str | None = None
    """Of "sqlite": the file, as the app is told it, such as "{run.folder}/shop.sqlite3"."""
    url: str | None = None
    """Of "http": its address on this machine, such as "http://127.0.0.1:8000". What it keeps, it keeps from trial to trial."""

    @model_validator(mode="after")
    def _what_its_kind_needs(self) -> PeerSpec:
        wanted = {"sqlite": "database", "http": "url"}.get(self.kind)
        for key in ("database", "url"):
            if (getattr(self, key) is not None) != (key == wanted):
                raise ValueError(f"a peer of kind {self.kind!r} {'needs' if key == wanted else 'has no'} `{key}`")
        if self.url is not None and not self.url.startswith("http://"):
            raise ValueError(
                "the `url` of a peer begins with http://, since what is encrypted cannot be read; use its plain port"
            )
        if self.name == "upstream":
            raise ValueError("the [upstream] alone is called so; give it another name")
        return self


class CrashmapSpec(Part):
    """The crash map of this scenario: what becomes of one job at every crash that the broker can tell apart."""

    job: str | None = None
    """The task of the job, or one of the chain, group or chord; the first [[workload.job]] that is not sent by `post` where it
    is left out."""
    within: Duration | None = None
    """How soon after a crash the job must be back; `contract.recovery` where it is left out. Later is "late"."""
    allow: tuple[Literal["once", "twice", "late", "once-pending", "dead-lettered", "stuck", "lost"], ...] | None = None
    """The outcomes that are right; without it they follow from `contract.delivery` (at least once, where that is left out)."""
    known_gap: str | None = None
    """A reason why an outcome that is not allowed is expected: a strict expected failure of the map's test."""
    depth: Literal[1, 2] = 1
    """2: the recovering worker is killed too, at each step of the recovery."""
    budget: Duration | None = None
    """The most telling points first, and no more begun after this time; all of them where it is left out."""
    lanes: int | None = Field(default=None, ge=1, le=64)
    """How many trials at once; by the machine's cores where it is left out."""
    steps: Literal["messages", "writes"] = "messages"
    """What the steps are: the messages of the broker's protocol; or, where it is encrypted or unknown and so cannot be read, the
    socket writes of the worker, by their count."""
    tries: int = Field(default=2, ge=1, le=5)
    """How often each point is tried. Where tries differ, it is tried up to five times."""
    idle: Duration = Field(default=2.5, gt=0)
    """How long a worker without jobs is listened to; what it says then is left out of the steps."""
    ignore: tuple[str, ...] = ()
    """Signatures of messages that are no steps, `*` for any letters, such as "publish celeryev*"."""
    keep: tuple[str, ...] = ()
    """Signatures of messages that are steps although an idle worker sends them too."""
    recovery: Duration | None = None
    """How long to wait for the library's own recovery; as the adapter computes it from the live settings where it is left out."""
    shorten: bool = True
    """Whether leases that last longer than the job needs are shortened by settings, and what no setting shortens is passed by the
    workers' clocks, so that a map takes seconds."""
    settings: dict[str, Any] = {}
    """Settings for the map alone, laid over those of [queue]."""
    zygote: bool = True
    """Whether workers are forked from a process that has imported the library, where the adapter knows how."""


class DrainSpec(Part):
    """When a run is over."""

    quiet: Duration = 10.0
    """Without a recovery bound: how long nothing may move before what is left counts as not delivered."""
    at_most: Duration = 300.0
    """The longest drain; a run that still moves then is cut short, and its verdict is unknown."""


class Scenario(Part):
    """One scenario. `run it` means: provision, start workers, drive the workload while faults strike, heal, drain,
    judge."""

    title: str = Field(min_length=1)
    owner: str = ""
    """Who answers for it."""
    expected: str = ""
    """The result that is expected, in words."""
    rollback: str = ""
    """What to do when it turns out otherwise."""
    known_gap: str | None = None
    """A reason why it is expected to break: a strict expected failure."""
    before: str | None = None
    """The scenario file (relative to this one) that this one is compared with."""
    tags: tuple[str, ...] = ()
    """Words to select it by."""
    seed: int = 1
    """Everything random derives from it."""
    environment: Literal["local", "staging"] = "local"
    """Where this runs. Only in "staging" may anything outside this machine be reached, and there only what `hosts` lists."""
    hosts: tuple[str, ...] = ()
    """Hosts outside this machine that may be reached, such as "redis.staging.example.com"."""
    confirm: tuple[str, ...] = ()
    """Names of hosts, databases, virtual hosts or users that look like production and are none, word for word."""
    production: tuple[str, ...] = ()
    """Further words that tell production in such a name, beside prod, production, prd and live."""
    limits: LimitsSpec = LimitsSpec()
    abort: AbortSpec = AbortSpec()
    process: tuple[ProcessSpec, ...] = ()
    allow_processes: tuple[str, ...] = ()
    """Patterns of command lines that may be struck outside the run, such as "*celery*": a [[process]] must fit one, too."""
    control: bool = False
    """Run the same without faults first: a contract that is broken then says nothing about faults."""
    queue: QueueSpec
    broker: BrokerSpec
    peer: tuple[PeerSpec, ...] = ()
    upstream: UpstreamSpec | None = None
    service: ServiceSpec | None = None
    workload: WorkloadSpec
    fault: tuple[FaultSpec, ...] = ()
    contract: ContractSpec = ContractSpec()
    gate: dict[str, GateSpec] = {}
    drain: DrainSpec = DrainSpec()
    prometheus: PrometheusSpec | None = None
    crashmap: CrashmapSpec | None = None
    lease: LeaseSpec | None = None
    report: ReportSpec = ReportSpec()
    webhook: tuple[WebhookSpec, ...] = ()

    @model_validator(mode="after")
    def _nothing_outside_by_accident(self) -> Scenario:
        if self.hosts and self.environment != "staging":
            raise ValueError('`hosts` outside this machine are reached in staging alone; add environment = "staging"')
        if self.process and not self.allow_processes:
            raise ValueError(
                'a [[process]] outside the run is struck only where `allow_processes` allows it, such as ["*celery*"]'
            )
        return self

    @model_validator(mode="after")
    def _peers_are_found(self) -> Scenario:
        names = [peer.name for peer in self.peer]
        for peer in self.peer:
            if names.count(peer.name) > 1:
                raise ValueError(f"two peers are called {peer.name!r}")
            place = f"{{peer.{peer.name}}}"
            if peer.kind != "sqlite" and not any(place in value for value in self.queue.env.values()):
                raise ValueError(
                    f"the app cannot find the peer {peer.name!r}: give it the address by the variable that it reads, such as "
                    f'queue.env = {{ DATABASE_URL = "{place}" }}'
                )
        return self

    @model_validator(mode="after")
    def _service_where_needed(self) -> Scenario:
        if self.service is None and any(job.post for job in self.workload.job):
            raise ValueError("a job is sent by `post`, but the scenario has no [service]")
        if self.service is None and self.contract.health is not None:
            raise ValueError("`contract.health` judges the health URL of a service, but the scenario has no [service]")
        return self

    def without_faults(self) -> Scenario:
        """The control of this scenario: the same, with nothing going wrong."""
        return self.model_copy(update={"fault": (), "control": False, "title": f"{self.title} (control, no faults)"})

    def with_(self, **changes: Any) -> Scenario:
        """A copy with changes, validated again. Keys of a part are written `queue__workers=4`; a bare name that only
        the queue has, such as `workers`, goes there.

        Raises: pydantic.ValidationError.
        """
        plain = self.model_dump(exclude_unset=True, by_alias=True)
        for name, value in changes.items():
            path = name.split("__")
            if len(path) == 1 and name not in type(self).model_fields and name in QueueSpec.model_fields:
                path = ["queue", name]
            place = plain
            for step in path[:-1]:
                place = place.setdefault(step, {})
            place[path[-1]] = value
        return type(self).model_validate(plain)
