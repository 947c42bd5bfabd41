"""PgQueuer 0.19 and newer. It has no hooks, so its own methods are wrapped; the module of each moved with 1.0.

`Queries.enqueue` and its synchronous twin give jobs their ids, so both events of an enqueue are written when the insert has
returned. `Queries.dequeue` takes jobs, `log_jobs` and `retry_job` settle them, `update_heartbeat` renews the hold on them. An
entrypoint's executor is wrapped where the manager registers it (`QueueManager.register_executor`): around its `execute` an
execution begins and ends. `SchedulerManager.dispatch` runs what a schedule has due, without a job: each tick is reported as one.
A process is ready when its first look for jobs has returned: by then it listens.
"""

import asyncio
import contextlib
import datetime
import functools
import importlib
import json
import os
import sys
import time

from .. import events, sending
from ..wrapping import one_line, replace, wrap

RUN_SETTINGS = ("dequeue_timeout", "batch_size", "heartbeat_timeout", "max_concurrent_tasks")
DURATIONS = ("dequeue_timeout", "heartbeat_timeout", "retry_timer")


def _home(module, name):
    """The class, where this module is its home: newer versions keep the old modules as shims."""
    kind = getattr(sys.modules[module], name, None)
    return kind if getattr(kind, "__module__", "") == module else None


def attach_queries(module, recorder, settings):
    """Record what is enqueued, taken, kept and settled."""
    queries, blocking = _home(module, "Queries"), _home(module, "SyncQueries")
    if blocking is not None:

        @wrap(blocking, "enqueue")
        def enqueue_blocking(original, self, *args, **kwargs):
            began_ns = time.monotonic_ns()
            ids = original(self, *args, **kwargs)
            _note_enqueued(recorder, ids, began_ns, *args, **kwargs)
            return ids

    if queries is None:
        return

    @wrap(queries, "enqueue")
    async def enqueue_jobs(original, self, *args, **kwargs):
        began_ns = time.monotonic_ns()
        ids = await original(self, *args, **kwargs)
        _note_enqueued(recorder, ids, began_ns, *args, **kwargs)
        return ids

    @replace(queries, "dequeue")
    def made_dequeue(original):
        async def dequeue(self, *args, **kwargs):
            jobs = await original(self, *args, **kwargs)
            for job in jobs:
                fields = vars(job)  # A model of pydantic looks for a `__getattr__` of its own at each attribute.
                key, text = recorder.job(fields["id"])
                recorder.record(events.JOB_RECEIVED, key, 0, _attempt(fields), recorder.text(fields["entrypoint"]), text)
            worker.looked(recorder)
            return jobs

        return dequeue

    @replace(queries, "log_jobs")
    def made_log(original):
        async def log_jobs(self, job_status, *args, **kwargs):
            answer = await original(self, job_status, *args, **kwargs)
            for entry in job_status:
                recorder.record(events.JOB_SETTLED, recorder.job(entry[0].id)[0])
            return answer

        return log_jobs

    if hasattr(queries, "retry_job"):

        @wrap(queries, "retry_job")
        async def retry_job(original, self, job, *args, **kwargs):
            answer = await original(self, job, *args, **kwargs)
            recorder.record(events.JOB_SETTLED, recorder.job(job.id)[0])
            return answer

    @wrap(queries, "update_heartbeat")
    async def update_heartbeat(original, self, job_ids, *args, **kwargs):
        answer = await original(self, job_ids, *args, **kwargs)
        for job_id in set(job_ids):
            recorder.record(events.JOB_LEASE_EXTENDED, recorder.job(job_id)[0], worker.lease_ns)
        return answer


def _note_enqueued(recorder, ids, began_ns, entrypoint, payload=None, priority=0, execute_after=None, *_, **__):
    many = isinstance(entrypoint, list)
    for number, job_id in enumerate(ids):
        if job_id is None:
            continue  # Skipped: a job with its deduplication key is there already.
        name = entrypoint[number] if many else entrypoint
        rank = priority[number] if isinstance(priority, list) else priority
        delay = execute_after[number] if isinstance(execute_after, list) else execute_after
        delay_s = delay.total_seconds() if delay is not None else 0.0
        sending.begin(recorder, job_id, name, None, -rank if rank else None, delay_s, began_ns)
        sending.acknowledge(recorder, job_id, name)


class _Worker:
    """What this process's manager is up to."""

    def __init__(self):
        self.running = self.ready = False
        self.lease_ns = 0

    def looked(self, recorder):
        if self.running and not self.ready:
            self.ready = True
            recorder.record(events.WORKER_READY)


worker = _Worker()


def attach_manager(module, recorder, settings):
    """Record executions, and lay the settings over a manager."""
    manager = _home(module, "QueueManager")
    if manager is None:
        return

    @wrap(manager, "register_executor")
    def register_executor(original, self, name, executor):
        if "retry_timer" in settings:
            executor.parameters.retry_timer = _duration("retry_timer", settings["retry_timer"])
        executor.execute = _recorded(recorder, executor.execute)
        return original(self, name, executor)

    @wrap(manager, "run")
    async def run(original, self, *args, **kwargs):
        kwargs.update((name, _duration(name, settings[name])) for name in RUN_SETTINGS if name in settings)
        lease = kwargs.get("heartbeat_timeout")
        worker.lease_ns = int(lease.total_seconds() * 1e9) if lease is not None else 0
        worker.running = True
        waiting = asyncio.ensure_future(_note_stop(recorder, self.shutdown))
        try:
            return await original(self, *args, **kwargs)
        finally:
            waiting.cancel()


def attach_scheduler(module, recorder, settings):
    """Record each tick of a schedule as a job that is sent, taken and run at once."""
    manager = _home(module, "SchedulerManager")
    if manager is None:
        return

    @wrap(manager, "dispatch")
    async def dispatch(original, self, executor, schedule, *args, **kwargs):
        moment = schedule.next_run.isoformat()
        tick = _Tick(executor, recorder, "%s@%s" % (schedule.id, moment), schedule.entrypoint)
        sending.tick(recorder, tick.job_id, schedule.entrypoint, "%s@%s" % (schedule.expression, moment))
        tick.record(events.JOB_RECEIVED, text=recorder.job(tick.job_id)[1])
        answer = await original(self, tick, schedule, *args, **kwargs)
        tick.record(events.JOB_SETTLED)
        return answer


class _Tick:
    """The executor of a schedule, for one tick of it."""

    def __init__(self, executor, recorder, job_id, entrypoint):
        self._executor, self._recorder, self.job_id, self._entrypoint = executor, recorder, job_id, entrypoint

    def __getattr__(self, name):
        return getattr(self._executor, name)

    def record(self, kind, value=0, text=0):
        self._recorder.record(kind, self._recorder.job(self.job_id)[0], value, 1, self._recorder.text(self._entrypoint), text)

    async def execute(self, *args, **kwargs):
        self.record(events.JOB_RUNNING, text=self._recorder.job(self.job_id)[1])
        try:
            answer = await self._executor.execute(*args, **kwargs)
        except BaseException as error:
            words = self._recorder.text(one_line(error))
            self.record(events.JOB_FAILED, text=words)
            self.record(events.JOB_DEAD, events.DEAD_RAISED, words)
            raise
        self.record(events.JOB_FINISHED)
        return answer


async def _note_stop(recorder, shutdown):
    await shutdown.wait()
    recorder.record(events.WORKER_STOPPING)


def _recorded(recorder, execute):
    record, text = recorder.record, recorder.text

    async def recorded(job, context):
        fields = vars(job)
        key, job_id = recorder.job(fields["id"])
        task, attempt = text(fields["entrypoint"]), _attempt(fields)
        record(events.JOB_RUNNING, key, 0, attempt, task, job_id)
        try:
            answer = await execute(job, context)
        except asyncio.CancelledError:
            record(events.JOB_DEAD, key, events.DEAD_REVOKED, attempt, task, text("cancelled"))
            raise
        except Exception as error:
            retry = _retry_request(error)
            words = text(one_line(error if retry is None else retry.__cause__ or retry))
            record(events.JOB_FAILED, key, 0, attempt, task, words)
            if retry is not None:
                record(events.JOB_RETRIED, key, int(retry.delay.total_seconds() * 1e9), attempt, task)
            else:
                record(events.JOB_DEAD, key, events.DEAD_RAISED, attempt, task, words)
            raise
        if context.cancellation.cancel_called:
            record(events.JOB_DEAD, key, events.DEAD_REVOKED, attempt, task, text("cancelled"))
        else:
            record(events.JOB_FINISHED, key, 0, attempt, task)
        return answer

    return recorded


def _retry_request(error):
    """The request to run the job again that is this exception, or in it; None where it is a failure for good."""
    kinds = importlib.import_module("pgqueuer.errors")
    if hasattr(kinds, "retry_request"):
        return kinds.retry_request(error)
    kind = getattr(kinds, "RetryRequested", None)
    return error if kind is not None and isinstance(error, kind) else None


def _attempt(fields):
    """Of a job's fields. Versions before 1.0 do not count attempts."""
    return fields["attempts"] + 1 if "attempts" in fields else 0


def _duration(name, value):
    return datetime.timedelta(seconds=value) if name in DURATIONS else value


WATCH = {
    name: functools.partial(attach, name)
    for attach, names in (
        (attach_queries, ("pgqueuer.queries", "pgqueuer.adapters.persistence.queries")),
        (attach_manager, ("pgqueuer.qm", "pgqueuer.core.qm")),
        (attach_scheduler, ("pgqueuer.sm", "pgqueuer.core.sm")),
    )
    for name in names
}


def attach_mishaps(module, mishaps):
    """Wrap the function of each entrypoint that a manager registers."""
    manager = _home(module, "QueueManager")
    if manager is None:
        return

    @wrap(manager, "register_executor")
    def register_executor(original, self, name, executor):
        executor.parameters.func = mishaps.around(executor.parameters.func, lambda job, *_: (job.entrypoint, job.id))
        return original(self, name, executor)


AROUND = {name: functools.partial(attach_mishaps, name) for name in ("pgqueuer.qm", "pgqueuer.core.qm")}


@contextlib.asynccontextmanager
async def entered(app):
    """The app's manager, as `pgq run` makes it: the factory's result is a context manager, or before 1.0 an awaitable."""
    module, _, name = app.partition(":")
    made = getattr(importlib.import_module(module), name)()
    if hasattr(made, "__aenter__"):
        async with made as manager:
            yield manager
    elif hasattr(made, "__enter__"):
        with made as manager:
            yield manager
    else:
        yield await made


class Sender:
    """Enqueues as the app's own code does, by `Queries.enqueue`, over the connection that the app's factory makes."""

    not_sent = (TypeError, ValueError, KeyError)

    def __init__(self, app):
        from ..loop import Loop

        self.loop = Loop()
        self.context = entered(app)
        manager = self.loop.call(self.context.__aenter__())
        self.manager = getattr(manager, "qm", manager)

    def send(self, task, args, kwargs, options):
        """Enqueue one job and return its id: `kwargs` as JSON are the payload, or else the one of `args`, a text as it is.

        `options` go to `enqueue` (priority, execute_after in seconds, dedupe_key …).
        """
        if task not in self.manager.entrypoint_registry:
            raise KeyError(task)
        content = kwargs or (args[0] if args else None)
        payload = None if content is None else (content if isinstance(content, str) else json.dumps(content)).encode()
        if "execute_after" in options:
            options = dict(options, execute_after=datetime.timedelta(seconds=options["execute_after"]))
        return self.loop.send(self.manager.queries.enqueue(task, payload, **options))[0]

    def close(self):
        self.loop.call(self.context.__aexit__(None, None, None))
        self.loop.close()


def inspect(app):
    """What the live app says of itself. Its factory connects to the database, which is there by now."""
    return asyncio.run(_inspect(app))


async def _inspect(app):
    import inspect as standard
    from importlib.metadata import version

    async with entered(app) as live:
        manager = getattr(live, "qm", live)
        parameters = standard.signature(type(manager).run).parameters
        settings = {name: parameters[name].default for name in RUN_SETTINGS if name in parameters}
        settings.update(_from_command())
        settings.update(json.loads(os.environ.get("JOBHARNESS_SETTINGS") or "{}"))
        settings = {name: _plain(value) for name, value in settings.items()}
        settings["driver"] = type(manager.queries.driver).__name__
        settings["queue_table"] = manager.queries.qbe.settings.queue_table
        settings["schema"] = getattr(manager.queries.qbe.settings, "db_schema", None)
        tasks = {name: _entrypoint_settings(executor) for name, executor in manager.entrypoint_registry.items()}
    found = version("pgqueuer")
    missing = {
        "job.timed_out": "PgQueuer has no time limit for a job",
        "job.rejected": "PgQueuer does not hand a job back",
    }
    if not hasattr(importlib.import_module("pgqueuer.errors"), "RetryRequested"):
        missing["attempt"] = "PgQueuer %s does not count attempts" % found
        missing["job.retried"] = "PgQueuer %s repeats a failed job within one execution, or not at all" % found
    return {"version": found, "settings": settings, "tasks": tasks, "missing": missing}


def _entrypoint_settings(executor):
    found = {
        name: value
        for name, value in vars(executor.parameters).items()
        if isinstance(value, (int, float, str, bool, datetime.timedelta))
    }
    for name in ("max_attempts", "initial_delay", "max_delay"):
        if hasattr(executor, name):
            found[name] = getattr(executor, name)
    return {name: _plain(value) for name, value in found.items()}


def _plain(value):
    return value.total_seconds() if isinstance(value, datetime.timedelta) else value


def _from_command():
    """What the worker's command says: `--heartbeat-timeout 5`."""
    words = json.loads(os.environ.get("JOBHARNESS_COMMAND") or "[]")
    pairs = {word[2:].replace("-", "_"): words[place + 1] for place, word in enumerate(words[:-1]) if word.startswith("--")}
    return {name: float(pairs[name]) for name in RUN_SETTINGS if name in pairs}
