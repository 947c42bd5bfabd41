"""What an app of each queue library looks like in source: what makes it, and how its tasks are declared."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jobharness.detect.source import Module, constant_text

__all__ = ["Found", "Task", "find"]


@dataclass(frozen=True)
class Task:
    """A task by the name that its library knows it by, with the parameters that a caller must give, and their annotations."""

    name: str
    parameters: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Found:
    """An app: `app` as the library's own command names it, `where` it is ("shop/worker.py:12"), `root` to run it from."""

    library: str
    app: str
    where: str
    root: Path
    broker: str
    variables: tuple[str, ...]
    tasks: tuple[Task, ...] = field(default=())
    note: str = ""


@dataclass(frozen=True)
class Library:
    """`makers`: what is called to make an app; `decorators`: the last word of what declares a task; `brokers`: the kinds it may
    be on, first the one that is meant where the source does not say; `factory`: its command takes a function that makes one."""

    name: str
    makers: tuple[str, ...] = ()
    decorators: tuple[str, ...] = ()
    brokers: tuple[str, ...] = ()
    colon: bool = True
    factory: bool = False


BROKER_WORDS = (
    ("nats", "nats"), ("amqp", "rabbitmq"), ("rabbit", "rabbitmq"), ("pika", "rabbitmq"), ("redis", "redis"),
    ("postgres", "postgres"), ("sqlite", "sqlite"),
)  # fmt: skip
TASKIQ_BROKERS = (
    "taskiq_redis.ListQueueBroker", "taskiq_redis.RedisStreamBroker", "taskiq_redis.PubSubBroker",
    "taskiq_aio_pika.AioPikaBroker", "taskiq_nats.NatsBroker", "taskiq_nats.PullBasedJetStreamBroker",
    "taskiq_nats.PushBasedJetStreamBroker",
)  # fmt: skip
HUEYS = ("huey.RedisHuey", "huey.SqliteHuey", "huey.PriorityRedisHuey", "huey.RedisExpireHuey")
PGQUEUERS = ("pgqueuer.PgQueuer", "pgqueuer.qm.QueueManager", "pgqueuer.QueueManager")
SCHEDULERS = (
    "apscheduler.schedulers.blocking.BlockingScheduler",
    "apscheduler.schedulers.background.BackgroundScheduler",
)
LIBRARIES = (
    Library("celery", ("celery.Celery",), ("task", "shared_task"), ("redis", "rabbitmq", "sqlite")),
    Library("taskiq", TASKIQ_BROKERS, ("task",), ("redis", "rabbitmq", "nats"), factory=True),
    Library("huey", HUEYS, ("task",), ("redis", "sqlite")),
    Library("procrastinate", ("procrastinate.App",), ("task",), ("postgres",), colon=False),
    Library("pgqueuer", PGQUEUERS, ("entrypoint",), ("postgres",), factory=True),
    Library("rq", ("rq.Queue", "rq.queue.Queue"), ("job",), ("redis",)),
    Library("saq", ("saq.Queue.from_url", "saq.Queue", "saq.queue.Queue.from_url"), (), ("redis", "postgres")),
    Library("apscheduler", SCHEDULERS, ("scheduled_job",), ("postgres", "sqlite", "redis")),
)
DRAMATIQ = Library("dramatiq", (), ("actor",), ("redis", "rabbitmq"))
ARQ = Library("arq", brokers=("redis",))
DJANGO_Q = Library("django-q2", brokers=("postgres", "sqlite"))


def find(modules: Sequence[Module], project: Path) -> list[Found]:
    """Every app of the project, the likeliest first: one with tasks before one without."""
    found = [app for library in LIBRARIES for module in modules for app in _made(library, module, modules, project)]
    found += [app for module in modules for app in _classes_and_settings(module, modules, project)]
    found += _dramatiq(modules, project)
    unique = {(app.library, app.app): app for app in found}
    return sorted(unique.values(), key=lambda app: not app.tasks)


def _made(library: Library, module: Module, modules: Sequence[Module], project: Path) -> Iterator[Found]:
    """The apps that a module makes at its top level, or by a factory."""
    for name, value in module.assigned.items():
        if _makes(library, module, value, modules):
            if library.name == "saq":
                continue  # Its command takes the settings, and not the queue.
            yield _found(library, module, name, value, modules, project)
        elif library.name == "saq" and isinstance(value, ast.Dict) and {"queue", "functions"} <= _keys(value):
            yield _found(library, module, name, value, modules, project, _listed(module, _value(value, "functions")))
    if library.factory:
        for function in module.functions:
            if function in module.tree.body and _returns(library, module, function):
                yield _found(library, module, function.name, function, modules, project)


def _makes(library: Library, module: Module, value: ast.expr, modules: Sequence[Module], depth: int = 3) -> bool:
    """Whether an expression is an app: a call of a maker, of a chain that begins with one, or of a function that returns one."""
    if isinstance(value, ast.Subscript) and library.name == "celery":
        # Flask's way: flask_app.extensions["celery"].
        return constant_text(value.slice) == "celery"
    if not isinstance(value, ast.Call) or not depth:
        return False
    called = module.stands_for(value.func)
    if called in library.makers:
        return True
    if isinstance(value.func, ast.Attribute) and _makes(library, module, value.func.value, modules, depth - 1):
        return True  # broker = RedisStreamBroker(url).with_result_backend(...)
    return any(
        f"{other.name}.{function.name}" == called and _returns(library, other, function, modules, depth - 1)
        for other in modules
        for function in other.tree.body
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def _returns(
    library: Library,
    module: Module,
    function: ast.FunctionDef | ast.AsyncFunctionDef,
    modules: Sequence[Module] = (),
    depth: int = 2,
) -> bool:
    """Whether a function returns (or yields) an app that it makes."""
    made = {
        target.id
        for node in ast.walk(function)
        if isinstance(node, ast.Assign) and _makes(library, module, node.value, modules, depth)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(function):
        if isinstance(node, ast.Return | ast.Yield) and node.value is not None:
            if isinstance(node.value, ast.Name) and node.value.id in made:
                return True
            if _makes(library, module, node.value, modules, depth):
                return True
    return False


def _found(
    library: Library,
    module: Module,
    name: str,
    node: ast.AST,
    modules: Sequence[Module],
    project: Path,
    tasks: Iterable[Task] | None = None,
) -> Found:
    listed = tuple(tasks) if tasks is not None else tuple(_tasks(library, modules, module))
    app = f"{module.name}:{name}" if library.colon else f"{module.name}.{name}"
    return Found(
        library.name,
        app,
        f"{module.path.relative_to(project)}:{getattr(node, 'lineno', 1)}",
        module.root,
        _broker(library, module, modules),
        _variables(module, modules),
        listed,
    )


def _variables(module: Module, modules: Sequence[Module]) -> tuple[str, ...]:
    """The variables that may hold the broker's address: the app's module's, or else those of a module of settings."""
    if module.address_variables:
        return tuple(module.address_variables)
    beside = [one for one in modules if one.path.stem in ("settings", "config", "conf", "base")]
    return tuple(variable for one in beside for variable in one.address_variables)


def _broker(library: Library, module: Module, modules: Sequence[Module]) -> str:
    beside = [one for one in modules if one.path.stem in ("settings", "config", "conf", "base")]
    for places in ([module], beside):
        words = " ".join(text for one in places for text in (*one.texts, *one.imports.values())).lower()
        for word, broker in BROKER_WORDS:
            if word in words and broker in library.brokers:
                return broker
    return library.brokers[0]


def _tasks(library: Library, modules: Sequence[Module], home: Module) -> Iterator[Task]:
    for module in modules:
        if module.root != home.root:
            continue
        for function in module.functions:
            for decorator in function.decorator_list:
                call = decorator if isinstance(decorator, ast.Call) else None
                words = module.stands_for(call.func if call is not None else decorator)
                if words.rpartition(".")[2] in library.decorators and _declares(library, words):
                    yield Task(_task_name(library, module, function, call), _parameters(library, function, call))


def _declares(library: Library, words: str) -> bool:
    """A decorator that stands for another library's is none of this one's."""
    package = words.partition(".")[0]
    others = {"celery", "dramatiq", "huey", "procrastinate", "rq", "taskiq", "pgqueuer", "airflow", "invoke", "prefect", "luigi"}
    return package == library.name or package not in others


def _task_name(library: Library, module: Module, function: ast.FunctionDef | ast.AsyncFunctionDef, call: ast.Call | None) -> str:
    words = {keyword.arg: constant_text(keyword.value) for keyword in call.keywords} if call is not None else {}
    first = constant_text(call.args[0]) if call is not None and call.args else None
    keyword = {"celery": "name", "procrastinate": "name", "huey": "name", "dramatiq": "actor_name"}.get(library.name, "")
    if library.name in ("pgqueuer", "taskiq") and first:
        return first
    if given := words.get(keyword):
        return given
    if library.name == "taskiq":
        return f"{module.name}:{function.name}"
    return function.name if library.name in ("dramatiq", "huey") else f"{module.name}.{function.name}"


def _parameters(
    library: Library, function: ast.FunctionDef | ast.AsyncFunctionDef, call: ast.Call | None = None
) -> tuple[tuple[str, str], ...]:
    """Those without a default, but for what the library passes itself (self, a context, a job)."""
    plain = function.args.posonlyargs + function.args.args
    required = plain[: len(plain) - len(function.args.defaults)]
    keywords = {keyword.arg for keyword in call.keywords} if call is not None else set()
    own = library.name in ("arq", "saq", "pgqueuer") or keywords & {"bind", "pass_context", "context"}
    if (own or (required and required[0].arg == "self")) and required:
        required = required[1:]
    required += [one for one, default in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True) if default is None]
    return tuple((one.arg, ast.unparse(one.annotation) if one.annotation is not None else "") for one in required)


def _classes_and_settings(module: Module, modules: Sequence[Module], project: Path) -> Iterator[Found]:
    """arq's WorkerSettings, a class with `functions`; django-q2's settings, a module with Q_CLUSTER."""
    for kind in module.classes:
        settings = (node for node in kind.body if isinstance(node, ast.Assign))
        assigned = {target.id: node.value for node in settings for target in node.targets if isinstance(target, ast.Name)}
        if "functions" in assigned and any(name.startswith("arq") for name in module.imports.values()):
            tasks = _listed(module, assigned["functions"], modules, ARQ)
            found = _found(ARQ, module, kind.name, kind, modules, project, tasks)
            yield Found(**{**vars(found), "app": f"{module.name}.{kind.name}"})
    if "Q_CLUSTER" in module.assigned:
        tasks = [
            Task(f"{other.name}.{function.name}", _parameters(DJANGO_Q, function))
            for other in modules
            if other.root == module.root and other.path.stem == "tasks"
            for function in other.functions
            if function in other.tree.body
        ]
        found = _found(DJANGO_Q, module, "Q_CLUSTER", module.assigned["Q_CLUSTER"], modules, project, tasks)
        yield Found(**{**vars(found), "app": module.name})


def _dramatiq(modules: Sequence[Module], project: Path) -> list[Found]:
    """dramatiq's command takes the modules that declare actors; its broker is set by a call."""
    homes = [module for module in modules if list(_tasks(DRAMATIQ, [module], module)) and "dramatiq" in _packages(module)]
    makers = ("set_broker", "RedisBroker", "RabbitmqBroker")
    setters = [module for module in modules if any(word in ast.dump(module.tree) for word in makers)]
    if not homes:
        return []
    home, setter = homes[0], (setters or homes)[0]
    found = _found(DRAMATIQ, home, "", home.tree, modules, project)
    broker, variables = _broker(DRAMATIQ, setter, modules), _variables(setter, modules)
    return [Found(**{**vars(found), "app": home.name, "broker": broker, "variables": variables})]


def _packages(module: Module) -> set[str]:
    return {name.partition(".")[0] for name in module.imports.values()}


def _keys(node: ast.Dict) -> set[str]:
    return {text for key in node.keys if (text := constant_text(key))}


def _value(node: ast.Dict, name: str) -> ast.expr | None:
    return next((value for key, value in zip(node.keys, node.values, strict=True) if constant_text(key) == name), None)


def _listed(module: Module, value: ast.expr | None, modules: Sequence[Module] = (), library: Library | None = None) -> list[Task]:
    """The functions in a list of functions, by their names."""
    library = library if library is not None else Library("saq")
    tasks = []
    for item in value.elts if isinstance(value, ast.List | ast.Tuple) else []:
        inner = item.args[0] if isinstance(item, ast.Call) and item.args else item
        words = module.stands_for(inner)
        for other in modules or (module,):
            for function in other.functions:
                if f"{other.name}.{function.name}" == words:
                    tasks.append(Task(function.name, _parameters(library, function)))
    return tasks
