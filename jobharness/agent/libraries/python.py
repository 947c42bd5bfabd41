"""A home-grown queue: the scenario says what its methods are called, and they are wrapped where they are defined.

`app` names the queue, an object or a class. Its verbs are `put`, `reserve`, `run`, `settle`, `renew`, `retry` and `bury`; the
scenario's `queue.methods` gives those that it calls otherwise, and as "module:function" those that are no methods of it. `run`
executes one job. A job, and what `put` returns, is known by its id: an int or a str, or its attribute, key or first item.

The process is ready when it first reserves. A settle or renew that returns False did not happen (the lease was lost).
"""

import functools
import importlib
import inspect as standard
import json
import os
import sys
import time

from .. import events, sending
from ..apps import load
from ..wrapping import one_line

VERBS = ("put", "reserve", "run", "settle", "renew", "retry", "bury")
IDS = ("id", "job_id", "key", "uuid")
TASKS = ("task", "task_name", "name", "kind", "func")
ATTEMPTS = ("attempt", "attempts", "tries")
DELAYS = ("delay", "delay_s", "countdown")
MARK = "_jobharness_verb"
MISSING = {
    "job.timed_out": "jobharness knows no verb of a home-grown queue by which it ends an execution for its time limit",
    "job.rejected": "jobharness knows no verb of a home-grown queue by which it hands a job back",
}


class Put:
    """An enqueue. The id is known when it has returned, so both its events are written then."""

    def before(self, recorder, call):
        return time.monotonic_ns()

    def after(self, recorder, call, began_ns, answer):
        name = call.arguments[0] if call.arguments else ""
        task = name if isinstance(name, str) else getattr(name, "__name__", str(name))
        sending.begin(recorder, part_of(answer, IDS, answer), task, delay_s=call.delay_s(), began_ns=began_ns)
        sending.acknowledge(recorder, part_of(answer, IDS, answer), task)


class Reserve:
    """A job is taken; None is no job."""

    ready = False

    def before(self, recorder, call):
        if not Reserve.ready and recorder.role == "worker":
            Reserve.ready = True
            recorder.record(events.WORKER_READY)

    def after(self, recorder, call, state, answer):
        if answer is not None:
            write(recorder, events.JOB_RECEIVED, answer, named=True)


class Run:
    """One execution."""

    def before(self, recorder, call):
        write(recorder, events.JOB_RUNNING, call.job, named=True)

    def after(self, recorder, call, state, answer):
        write(recorder, events.JOB_FINISHED, call.job)

    def failed(self, recorder, call, error):
        write(recorder, events.JOB_FAILED, call.job, words=one_line(error))


class Settle:
    """A job is done, and the queue forgets it."""

    kind = events.JOB_SETTLED

    def before(self, recorder, call):
        return None

    def value(self, call):
        return 0

    def after(self, recorder, call, state, answer):
        if answer is not False:
            write(recorder, self.kind, call.job, self.value(call))


class Renew(Settle):
    """The hold on a job is renewed, for the queue's `lease_s`."""

    kind = events.JOB_LEASE_EXTENDED

    def value(self, call):
        return int(float(getattr(call.owner, "lease_s", 0)) * 1e9)


class Retry(Settle):
    """A job goes back, to be run again after the argument `delay` (or `delay_s`, or `countdown`): from when the call began, since
    another worker may have it before this one returns."""

    kind = events.JOB_RETRIED

    def before(self, recorder, call):
        return time.monotonic_ns()

    def after(self, recorder, call, began_ns, answer):
        if answer is not False:
            write(recorder, self.kind, call.job, int(call.delay_s() * 1e9), time_ns=began_ns)


class Bury(Settle):
    """A job is given up: that settles it."""

    kind = events.JOB_DEAD

    def after(self, recorder, call, state, answer):
        super().after(recorder, call, state, answer)
        if answer is not False:
            write(recorder, events.JOB_SETTLED, call.job)


KINDS = {"put": Put, "reserve": Reserve, "run": Run, "settle": Settle, "renew": Renew, "retry": Retry, "bury": Bury}


class Call:
    """One call of a verb. `owner`: the queue, None for a plain function; `arguments`: the positional ones after it."""

    def __init__(self, function, is_method, args, kwargs):
        self.function, self.kwargs = function, kwargs
        self.owner = args[0] if is_method else None
        self.all, self.arguments = args, args[1:] if is_method else args

    @property
    def job(self):
        return self.arguments[0] if self.arguments else self.kwargs.get("job")

    def delay_s(self):
        """The delay that the call asks for, in seconds; 0 where it has no argument of that name."""
        given = dict(self.kwargs)
        try:
            given.update(standard.signature(self.function).bind_partial(*self.all).arguments)
        except TypeError:
            pass
        return float(next((given[name] for name in DELAYS if given.get(name)), 0.0))


def part_of(job, names, default=None):
    """An attribute or key of a job, whichever of the names it has."""
    for name in names:
        if isinstance(job, dict) and name in job:
            return job[name]
        if not isinstance(job, (str, int)) and hasattr(job, name):
            return getattr(job, name)
    return job[0] if isinstance(job, (tuple, list)) and names is IDS else default


def write(recorder, kind, job, value=0, words="", named=False, time_ns=0):
    """Record an event of a job. `time_ns`: when it happened, where that was before now."""
    key, text = recorder.job(part_of(job, IDS, job))
    attempt = int(part_of(job, ATTEMPTS, 0) or 0)
    recorder.record(kind, key, value, attempt, recorder.text(task_of(job)), text if named else recorder.text(words), 0, time_ns)


def task_of(job):
    """The name of a job's task, or ""."""
    task = part_of(job, TASKS, "")
    return task if isinstance(task, str) else getattr(task, "__name__", str(task))


def wrapped(recorder, verb, function, is_method):
    """The function, recorded. Coroutines stay coroutines."""
    if hasattr(function, MARK):
        return function
    step = KINDS[verb]()

    def failed(call, error):
        if hasattr(step, "failed"):
            step.failed(recorder, call, error)

    @functools.wraps(function)
    def plain(*args, **kwargs):
        call = Call(function, is_method, args, kwargs)
        state = step.before(recorder, call)
        try:
            answer = function(*args, **kwargs)
        except BaseException as error:
            failed(call, error)
            raise
        step.after(recorder, call, state, answer)
        return answer

    @functools.wraps(function)
    async def coroutine(*args, **kwargs):
        call = Call(function, is_method, args, kwargs)
        state = step.before(recorder, call)
        try:
            answer = await function(*args, **kwargs)
        except BaseException as error:
            failed(call, error)
            raise
        step.after(recorder, call, state, answer)
        return answer

    replacement = coroutine if standard.iscoroutinefunction(function) else plain
    setattr(replacement, MARK, verb)
    return replacement


def places():
    """Verb -> (module, dotted path in it) of what the scenario says: methods of the app, or functions by name."""
    app = os.environ.get("JOBHARNESS_APP", "")
    given = json.loads(os.environ.get("JOBHARNESS_METHODS") or "{}")
    module, _, path = app.partition(":")
    found = {}
    for verb in VERBS:
        name = given.get(verb, verb)
        elsewhere, colon, function = name.partition(":")
        found[verb] = (elsewhere, function) if colon else (module, path + "." + name)
    return found


def attach(module, recorder, settings):
    """Wrap the verbs that this module defines, and lay the settings over the queue."""
    loaded = sys.modules[module]
    home, _, path = os.environ.get("JOBHARNESS_APP", "").partition(":")
    if settings and module == home:
        queue = _reach(loaded, path)
        for name, value in settings.items():
            if not hasattr(queue, name):
                raise AttributeError("%s has no setting %r" % (path, name))
            setattr(queue, name, value)
    for verb, (place, dotted) in places().items():
        if place == module:
            _wrap_one(recorder, verb, loaded, dotted)


def _wrap_one(recorder, verb, module, dotted):
    home, name, is_method = _home_of(module, dotted)
    if home is not None:
        setattr(home, name, wrapped(recorder, verb, vars(home)[name], is_method))


def _home_of(module, dotted):
    """`(module or class that has it, its name there, whether it is a method)`; None for the first where nothing has it."""
    owner_path, _, name = dotted.rpartition(".")
    owner = _reach(module, owner_path)
    if standard.ismodule(owner):
        return (owner if name in vars(owner) else None), name, False
    kind = owner if isinstance(owner, type) else type(owner)
    return next((one for one in kind.__mro__ if name in vars(one)), None), name, True


def _reach(module, path):
    found = module
    for name in filter(None, path.split(".")):
        found = getattr(found, name)
    return found


WATCH = {module: functools.partial(attach, module) for module, _ in places().values() if module}


def attach_mishaps(module, mishaps):
    """Wrap what runs one job, where it is in this module."""
    place, dotted = places()["run"]
    if place == module:
        owner, name, is_method = _home_of(sys.modules[module], dotted)
        if owner is not None:

            def about(*args, **kwargs):
                job = Call(None, is_method, args, kwargs).job
                return task_of(job), part_of(job, IDS, job)

            setattr(owner, name, mishaps.around(vars(owner)[name], about))


AROUND = {module: functools.partial(attach_mishaps, module) for module, _ in places().values() if module}


class Sender:
    """Calls the queue's `put` with the task's name, the arguments and the options. A class is made without arguments."""

    not_sent = (TypeError, KeyError)

    def __init__(self, app):
        _, queue = load(app)
        queue = queue() if isinstance(queue, type) else queue
        module, dotted = places()["put"]
        self.put = getattr(queue, dotted.rpartition(".")[2], None)
        if self.put is None or module != app.partition(":")[0]:
            self.put = _reach(importlib.import_module(module), dotted)
        self.loop = None
        if standard.iscoroutinefunction(self.put):
            from ..loop import Loop

            self.loop = Loop()

    def send(self, task, args, kwargs, options):
        """Enqueue one job and return its id."""
        if self.loop is not None:
            answer = self.loop.send(self.put(task, *args, **kwargs, **options))
        else:
            answer = self.put(task, *args, **kwargs, **options)
        return part_of(answer, IDS, answer)

    def close(self):
        if self.loop is not None:
            self.loop.close()


def inspect(app):
    """What the queue says of itself: its plain public attributes, and its `tasks` where it has them by name."""
    module, queue = load(app)
    if queue is None:
        raise AttributeError("%s is a module: name the queue in it, as in %s:queue" % (app, app))
    absent, given = [], json.loads(os.environ.get("JOBHARNESS_METHODS") or "{}")
    for verb, (place, dotted) in places().items():
        try:
            _reach(importlib.import_module(place), dotted)
        except AttributeError:
            if verb in given or verb in ("put", "reserve", "run"):
                raise AttributeError(
                    "%s:%s, the queue's %r, does not exist; queue.methods says what it is called" % (place, dotted, verb)
                )
            absent.append(verb)
    attributes = {name: getattr(queue, name) for name in dir(queue) if not name.startswith("_")}
    settings = {name: value for name, value in attributes.items() if isinstance(value, (str, int, float, bool))}
    tasks = (
        attributes.get("tasks")
        if isinstance(attributes.get("tasks"), dict)
        else json.loads(os.environ.get("JOBHARNESS_TASKS") or "[]")
    )
    kinds = {"settle": "job.settled", "renew": "job.lease_extended", "retry": "job.retried", "bury": "job.dead"}
    return {
        "version": str(getattr(module, "__version__", "0, home-grown")),
        "settings": settings,
        "tasks": {str(name): {} for name in tasks},
        "missing": dict(MISSING, **{kinds[verb]: "the queue has no %r" % verb for verb in absent}),
    }
