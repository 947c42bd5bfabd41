"""SAQ 0.12 and newer. Its hooks belong to the app (before_process …), so its methods are wrapped:

- `Queue.enqueue`, `.retry` and `.finish` (saq/queue.py, later saq/queue/base.py): enqueue, retried, dead, settled; a job whose
  worker is gone is finished with the error "swept";
- the functions of a `Worker`, `dequeue` of its queue, and `Worker.worker_info` or `Queue.stats`: running, finished, failed, timed
  out; received; ready;
- `Worker.schedule` and `.stop` (saq/worker.py): ticks, stopping.

A job's id is SAQ's `key`. A timeout reaches a coroutine as a cancellation, and so do a stop and an abort: it was a timeout when
the time was over. A plain function goes on in its thread, to its end: it may finish, and be given up for its timeout after that.
"""

import asyncio
import contextvars
import functools
import inspect as signatures
import sys
import threading
import time

from .. import apps, boot, events, sending
from ..loop import Loop
from ..wrapping import during, wrap

WORKER_SETTINGS = (
    "concurrency", "timers", "dequeue_timeout", "shutdown_grace_period_s", "cancellation_hard_deadline_s", "poll_interval",
)  # fmt: skip

_cron = contextvars.ContextVar("jobharness_cron", default=False)


def attach(recorder, settings):
    """Wrap everything, once the package is there."""
    executions = _Executions()
    _enqueuing(recorder)
    _outcomes(recorder, executions)
    _working(recorder, settings, executions)


class _Executions:
    """What this worker knows of the executions it has begun: (when, limit, exception, late), by the job's key."""

    def __init__(self):
        self.by_key, self.lock = {}, threading.Lock()

    def begin(self, key, limit_s, began_s):
        with self.lock:
            self.by_key[key] = {"began_s": began_s, "limit_s": limit_s, "error": None, "ended": False, "late": False}

    def late(self, key):
        found = self.by_key.get(key)
        return bool(found and found["limit_s"] and time.monotonic() - found["began_s"] >= found["limit_s"] * 0.999)

    def end(self, key, error=None, late=False):
        with self.lock:
            if key in self.by_key:
                self.by_key[key].update(error=error, ended=True, late=late)

    def take(self, key):
        with self.lock:
            return self.by_key.pop(key, None)


def _enqueuing(recorder):
    from saq.job import get_default_job_key
    from saq.queue import Queue
    from saq.worker import Worker

    @wrap(Queue, "enqueue")
    async def enqueue(original, self, job_or_func, **kwargs):
        if isinstance(job_or_func, str):
            kwargs.setdefault("key", get_default_job_key())
            job_id, name = kwargs["key"], job_or_func
        else:
            job_id, name = kwargs.get("key", job_or_func.key), job_or_func.function
        scheduled = kwargs.get("scheduled", getattr(job_or_func, "scheduled", 0)) or None
        rank = kwargs.get("priority", getattr(job_or_func, "priority", None))
        if _cron.get():
            job = await original(self, job_or_func, **kwargs)
            if job is not None:  # Else the tick is there already: SAQ sends each entry once a second, under one key.
                sending.tick(recorder, job_id, name, "%s@%s" % (name, scheduled), scheduled)
            return job
        sending.begin(recorder, job_id, name, scheduled, rank or None)
        job = await original(self, job_or_func, **kwargs)
        if job is None:
            sending.refuse(recorder, job_id, name, "SAQ has an unfinished job with this key")
        else:
            sending.acknowledge(recorder, job_id, name)
        return job

    wrap(Worker, "schedule")(during(_cron))


def _outcomes(recorder, executions):
    from saq.job import Job
    from saq.queue import Queue

    record = recorder.record

    @wrap(Job, "next_retry_delay")
    def next_retry_delay(original, self):
        self.jobharness_delay_s = original(self)
        return self.jobharness_delay_s

    @wrap(Queue, "retry")
    async def retry(original, self, job, error):
        asked_ns, attempt = time.monotonic_ns(), job.attempts
        _note_timeout(recorder, executions, job)
        answer = await original(self, job, error)
        executions.take(job.key)
        delay_ns = int(vars(job).pop("jobharness_delay_s", 0) * 1e9)
        key = recorder.job(job.key)[0]
        record(events.JOB_RETRIED, key, delay_ns, attempt, recorder.text(job.function), time_ns=asked_ns)
        return answer

    @wrap(Queue, "finish")
    async def finish(original, self, job, status, **kwargs):
        _note_timeout(recorder, executions, job)
        answer = await original(self, job, status, **kwargs)
        overran = executions.late(job.key)
        key, ended = recorder.job(job.key)[0], executions.take(job.key)
        if status.value != "complete":
            swept = kwargs.get("error") == getattr(self, "swept_error_message", "swept")
            reason = events.DEAD_WORKER_LOST if swept else _death(status, ended, overran)
            lines = (kwargs.get("error") or "").strip().splitlines()
            words = recorder.text(lines[-1][:500] if lines else status.value)
            record(events.JOB_DEAD, key, reason, job.attempts, recorder.text(job.function), words)
        record(events.JOB_SETTLED, key)
        return answer


def _note_timeout(recorder, executions, job):
    """A plain function cannot be cancelled: that its time is over shows only in what SAQ does with the job."""
    found = executions.by_key.get(job.key)
    if found and not found["ended"] and executions.late(job.key):
        executions.end(job.key, late=True)
        name = recorder.text(job.function)
        recorder.record(events.JOB_TIMED_OUT, recorder.job(job.key)[0], 0, job.attempts, name)


def _death(status, ended, overran):
    if status.value == "aborted":
        return events.DEAD_REVOKED
    if ended is None:
        return events.DEAD_UNKNOWN_TASK  # It failed before its function was called: there is none of this name.
    late = ended["late"] or (ended["error"] is None and overran)
    return events.DEAD_TIMED_OUT if late else events.DEAD_RAISED


def _working(recorder, settings, executions):
    from saq.queue import Queue
    from saq.worker import Worker

    accepted = signatures.signature(Worker.__init__).parameters
    told = set()

    def tell(what):
        """Ready when jobs are being taken, and the broker has answered."""
        if "both" not in told:
            told.add(what)
            if {"taking", "answered"} <= told:
                told.add("both")
                recorder.record(events.WORKER_READY)

    # The first upkeep of a worker writes of itself to the broker.
    @wrap(*((Worker, "worker_info") if hasattr(Worker, "worker_info") else (Queue, "stats")))
    async def upkeep(original, *args, **kwargs):
        answer = await original(*args, **kwargs)
        tell("answered")
        return answer

    @wrap(Worker, "__init__")
    def init(original, self, *args, **kwargs):
        kwargs.update(_laid_over({name: settings[name] for name in settings if name in accepted}, kwargs))
        original(self, *args, **kwargs)
        for name, function in list(self.functions.items()):
            self.functions[name] = _recorded(recorder, executions, name, function)
        _watch_dequeue(self.queue)

    def _watch_dequeue(queue):
        original = queue.dequeue

        async def dequeue(*args, **kwargs):
            tell("taking")
            job = await original(*args, **kwargs)
            if job is not None:
                job.jobharness_taken_s = time.monotonic()
                key, words = recorder.job(job.key)
                recorder.record(events.JOB_RECEIVED, key, 0, job.attempts + 1, recorder.text(job.function), words)
            return job

        queue.dequeue = dequeue

    @wrap(Worker, "stop")
    async def stop(original, self):
        recorder.record(events.WORKER_STOPPING)
        return await original(self)


def _recorded(recorder, executions, name, function):
    """The function, with its executions recorded; a coroutine stays one."""

    def begin(context):
        job = context["job"]
        (key, words), text = recorder.job(job.key), recorder.text(name)
        # From when the job was taken: SAQ's own clock for the limit starts before the first line of the function runs.
        executions.begin(job.key, job.timeout, getattr(job, "jobharness_taken_s", time.monotonic()))
        recorder.record(events.JOB_RUNNING, key, 0, job.attempts, text, words)
        return job, key, job.attempts, text

    def ended(begun, error=None):
        job, key, attempt, text = begun
        late = isinstance(error, asyncio.CancelledError) and executions.late(job.key)
        executions.end(job.key, error, late)
        if error is None:
            recorder.record(events.JOB_FINISHED, key, 0, attempt, text)
        else:
            kind = events.JOB_TIMED_OUT if late else events.JOB_FAILED
            recorder.record(kind, key, 0, attempt, text, recorder.error(error))

    @functools.wraps(function)
    async def coroutine(context, *args, **kwargs):
        begun = begin(context)
        try:
            result = await function(context, *args, **kwargs)
        except BaseException as error:
            ended(begun, error)
            raise
        ended(begun)
        return result

    @functools.wraps(function)
    def plain(context, *args, **kwargs):
        begun = begin(context)
        try:
            result = function(context, *args, **kwargs)
        except BaseException as error:
            ended(begun, error)
            raise
        ended(begun)
        return result

    return coroutine if asyncio.iscoroutinefunction(function) else plain


def _laid_over(chosen, own):
    """The scenario's settings over a worker's own; of `timers` only those that are named."""
    if "timers" in chosen:
        chosen = dict(chosen, timers={**(own.get("timers") or {}), **chosen["timers"]})
    return chosen


WATCH = {"saq": attach}


def attach_mishaps(mishaps):
    """Wrap the functions of a worker."""
    from saq.worker import Worker

    @wrap(Worker, "__init__")
    def init(original, self, *args, **kwargs):
        original(self, *args, **kwargs)
        for name, function in list(self.functions.items()):
            self.functions[name] = mishaps.around(function, _about(name))


def _about(name):
    return lambda context, *_, **__: (name, context["job"].key)


AROUND = {"saq": attach_mishaps}


class Sender:
    """Sends by `Queue.enqueue`; `options` are the fields of a Job (timeout, retries, scheduled ...), and `delay`, in seconds."""

    not_sent = (TypeError, ValueError, KeyError)

    def __init__(self, app):
        settings = _find(app)
        self.queue, self.functions = settings["queue"], _functions(settings)
        self.loop = Loop()
        if hasattr(self.queue, "connect"):
            self.loop.call(self.queue.connect())

    def send(self, task, args, kwargs, options):
        """Enqueue one job and return its key. SAQ passes arguments by keyword: positional ones get the function's names."""
        names = list(signatures.signature(self.functions[task]).parameters)[1:] if args else []
        if len(args) > len(names):
            raise TypeError("%s takes %d arguments, not %d" % (task, len(names), len(args)))
        kwargs = {**{name: args[place] for place, name in enumerate(names[: len(args)])}, **kwargs}
        options = dict(options)
        delay_s = options.pop("delay", None)
        if delay_s is not None:
            options["scheduled"] = int(time.time() + delay_s + 0.999)  # SAQ counts in whole seconds: never before its time.
        job = self.loop.send(self.queue.enqueue(task, **kwargs, **options))
        return job.key if job is not None else None

    def close(self):
        self.loop.call(self.queue.disconnect())
        self.loop.close()


def inspect(app):
    """What the live app says of itself; no connection is made."""
    from importlib.metadata import version

    from saq.job import Job
    from saq.worker import Worker

    settings = _find(app)
    queue, parameters = settings["queue"], signatures.signature(Worker.__init__).parameters
    chosen = {name: value for name, value in boot.settings().items() if name in parameters}
    worker = {**settings, **_laid_over(chosen, settings)}
    shown = {"queue": type(queue).__name__, "name": queue.name}
    for name in WORKER_SETTINGS:
        if name in parameters:
            shown[name] = worker.get(name, parameters[name].default)
    shown["timers"] = {"schedule": 1, "sweep": 60, "abort": 1, **(worker.get("timers") or {})}
    for name in ("jobs_table", "_jobs_table", "swept_error_message"):
        if isinstance(getattr(queue, name, None), str):
            shown[name.lstrip("_")] = getattr(queue, name)
    fields = Job.__dataclass_fields__
    defaults = {
        name: fields[name].default for name in ("timeout", "retries", "retry_delay", "heartbeat", "ttl") if name in fields
    }
    shown.update(("job." + name, value) for name, value in defaults.items())
    tasks = {name: dict(defaults) for name in _functions(settings)}
    missing = dict(MISSING)
    if type(queue).__name__ == "PostgresQueue" and not shown.get("dequeue_timeout") and _listens_through_cancellations():
        missing["stop"] = (
            "a worker may go on after SIGTERM for ever: SAQ cancels the task that listens for jobs, which asyncio.wait_for of"
            " Python %d.%d can swallow (python/cpython#86296); Python 3.12 or a dequeue_timeout cures it" % sys.version_info[:2]
        )
    return {"version": version("saq"), "settings": shown, "tasks": tasks, "missing": missing}


def _listens_through_cancellations():
    """Whether the one task of a worker that waits for PostgreSQL's notifications can miss the only cancellation it gets.

    It waits by `asyncio.wait_for`, a second at a time and again (saq/multiplexer.py); before Python 3.12 that gives back the
    notification that has come in the same turn, and the cancellation is gone. After many enqueues there is always a next one.
    """
    from saq import multiplexer

    return sys.version_info < (3, 12) and 1.0 in multiplexer.Multiplexer.listen.__code__.co_consts


MISSING = {"job.rejected": "SAQ never hands a job back: a worker that stops retries its jobs"}


def _functions(settings):
    """The functions of a worker by name (saq/worker.py)."""
    listed = list(settings.get("functions", ())) + [cron.function for cron in settings.get("cron_jobs") or ()]
    return dict(one if isinstance(one, tuple) else (one.__qualname__, one) for one in listed)


def _find(app):
    """The settings, as SAQ's own command finds them: a dict, or in newer versions a function that makes one."""
    _, settings = apps.load(app)
    settings = settings() if callable(settings) else settings
    if not isinstance(settings, dict) or "queue" not in settings:
        raise AttributeError("%s is not a dict of settings with a 'queue'" % app)
    return settings


__all__ = ["WATCH", "Sender", "attach", "inspect"]
