"""arq 0.25 and newer. It has hooks for the app (on_job_start …) but none for others, so its methods are wrapped:

- `ArqRedis.enqueue_job` (arq/connections.py): enqueue. An id is chosen here where the app gives none, as arq would a line later;
- `coroutine` of each function that a `Worker` has (arq/worker.py): running, finished, failed, timed out;
- `Worker._poll_iteration`, `.run_job`, `.finish_job`, `.finish_failed_job`, `.run_cron` and the handlers of signals
  (arq/worker.py): ready, received, retried, dead, settled, ticks, stopping.

A timeout reaches the task as a cancellation, and so do a stop and an abort: it was a timeout when the time was over.
"""

import asyncio
import contextvars
import time
import uuid

from .. import apps, boot, events, sending
from ..loop import Loop
from ..wrapping import during, wrap

SETTINGS = (
    "queue_name", "max_jobs", "job_timeout", "max_tries", "retry_jobs", "poll_delay", "queue_read_limit", "keep_result",
    "keep_result_forever", "health_check_interval", "allow_abort_jobs", "job_completion_wait", "expires_extra_ms",
)  # fmt: skip

_cron = contextvars.ContextVar("jobharness_cron", default=False)


def attach(recorder, settings):
    """Wrap everything, once the package is there."""
    _enqueuing(recorder)
    _taking(recorder, settings)
    _outcomes(recorder)


def _enqueuing(recorder):
    from arq.connections import ArqRedis
    from arq.worker import Worker

    @wrap(ArqRedis, "enqueue_job")
    async def enqueue_job(original, self, function, *args, **kwargs):
        job_id = kwargs["_job_id"] = kwargs.get("_job_id") or uuid.uuid4().hex
        if _cron.get():
            job = await original(self, function, *args, **kwargs)
            if job is not None:  # Else another worker was first: the ids of ticks are the same in all.
                sending.tick(recorder, job_id, function, _mark(function, job_id, kwargs.get("_defer_until")))
            return job
        sending.begin(recorder, job_id, function, _moment_s(kwargs))
        job = await original(self, function, *args, **kwargs)
        if job is None:
            sending.refuse(recorder, job_id, function, "arq has a job or a result with this id already")
        else:
            sending.acknowledge(recorder, job_id, function)
        return job

    wrap(Worker, "run_cron")(during(_cron))


def _mark(function, job_id, due):
    """What names a tick: arq's own id of it, or, where the app chose the id or each worker has one of its own, its second."""
    if job_id.startswith(function + ":"):
        return job_id
    # arq sends a tick up to a second ahead, and does not say when it was due where that is over.
    return "%s@%d" % (function, due.timestamp() if due else time.time())


def _moment_s(options):
    until, by = options.get("_defer_until"), options.get("_defer_by")
    if until is not None:
        return until.timestamp()
    return time.time() + getattr(by, "total_seconds", lambda: by)() if by else None


def _taking(recorder, settings):
    from arq.worker import Worker

    told = []

    @wrap(Worker, "__init__")
    def init(original, self, *args, **kwargs):
        kwargs.update((name, value) for name, value in settings.items() if name in SETTINGS)
        original(self, *args, **kwargs)
        self.jobharness_jobs = {}  # What became of the execution of each job: (attempt, exception or None, whether it was late).
        self.jobharness_began = {}
        for function in self.functions.values():
            if not hasattr(function.coroutine, "jobharness"):
                function.coroutine = _recorded(recorder, self, function)

    @wrap(Worker, "_poll_iteration")
    async def poll_iteration(original, self):
        if not told:
            told.append(True)
            recorder.record(events.WORKER_READY)
        return await original(self)

    @wrap(Worker, "run_job")
    async def run_job(original, self, job_id, score):
        key, words = recorder.job(job_id)
        recorder.record(events.JOB_RECEIVED, key, 0, 0, 0, words)
        self.jobharness_began[job_id] = time.monotonic()
        try:
            return await original(self, job_id, score)
        finally:
            self.jobharness_jobs.pop(job_id, None)
            self.jobharness_began.pop(job_id, None)

    for handler in ("handle_sig", "handle_sig_wait_for_completion"):
        if hasattr(Worker, handler):

            @wrap(Worker, handler)
            def handle(original, self, signum):
                recorder.record(events.WORKER_STOPPING, text=recorder.text("signal %d" % signum))
                return original(self, signum)


def _recorded(recorder, worker, function):
    coroutine, record = function.coroutine, recorder.record

    async def recorded(ctx, *args, **kwargs):
        job_id, attempt = ctx["job_id"], ctx["job_try"]
        (key, words), name = recorder.job(job_id), recorder.text(function.name)
        limit_s = worker.job_timeout_s if function.timeout_s is None else function.timeout_s
        # From when arq began with the job: its own clock for the limit starts before the first line of the function runs.
        began_s = worker.jobharness_began.get(job_id, time.monotonic())
        worker.jobharness_jobs[job_id] = (attempt, None, False)
        record(events.JOB_RUNNING, key, 0, attempt, name, words)
        try:
            result = await coroutine(ctx, *args, **kwargs)
        except BaseException as error:
            cancelled = isinstance(error, asyncio.CancelledError)
            late = bool(cancelled and limit_s and time.monotonic() - began_s >= limit_s * 0.999)
            worker.jobharness_jobs[job_id] = (attempt, error, late)
            record(events.JOB_TIMED_OUT if late else events.JOB_FAILED, key, 0, attempt, name, recorder.error(error))
            raise
        record(events.JOB_FINISHED, key, 0, attempt, name)
        return result

    recorded.jobharness = True
    return recorded


def _outcomes(recorder):
    from arq.jobs import deserialize_result
    from arq.worker import Worker

    @wrap(Worker, "finish_job")
    async def finish_job(original, self, job_id, finish, *args, **kwargs):
        asked_ns = time.monotonic_ns()
        answer = await original(self, job_id, finish, *args, **kwargs)
        key = recorder.job(job_id)[0]
        attempt, error, late = self.jobharness_jobs.get(job_id, (0, None, False))
        if not finish:
            delay_ns = int((getattr(error, "defer_score", None) or 0) * 1e6)
            recorder.record(events.JOB_RETRIED, key, delay_ns, attempt, time_ns=asked_ns)
            return answer
        if error is not None:
            aborted = isinstance(error, asyncio.CancelledError)
            reason = events.DEAD_TIMED_OUT if late else events.DEAD_REVOKED if aborted else events.DEAD_RAISED
            recorder.record(events.JOB_DEAD, key, reason, attempt, 0, recorder.error(error))
        recorder.record(events.JOB_SETTLED, key)
        return answer

    @wrap(Worker, "finish_failed_job")
    async def finish_failed_job(original, self, job_id, result_data):
        answer = await original(self, job_id, result_data)
        key, words = recorder.job(job_id)[0], "not run"
        if result_data is not None:
            words = str(deserialize_result(result_data, deserializer=self.job_deserializer).result)
        reason = events.DEAD_UNKNOWN_TASK if "not found" in words else events.DEAD_RAISED
        if "expired" in words or not words:
            reason = events.DEAD_REVOKED
        recorder.record(events.JOB_DEAD, key, reason, 0, 0, recorder.text(words[:500] or "aborted"))
        recorder.record(events.JOB_SETTLED, key)
        return answer


WATCH = {"arq": attach}


def attach_mishaps(mishaps):
    """Wrap the coroutine of each function that a worker has."""
    from arq.worker import Worker

    @wrap(Worker, "__init__")
    def init(original, self, *args, **kwargs):
        original(self, *args, **kwargs)
        for function in self.functions.values():
            function.coroutine = mishaps.around(function.coroutine, _about(function.name))


def _about(name):
    return lambda ctx, *_, **__: (name, ctx["job_id"])


AROUND = {"arq": attach_mishaps}


class Sender:
    """Sends by `ArqRedis.enqueue_job`, over one pool; `options` are its own without the underscore (defer_by, job_id ...)."""

    not_sent = (TypeError, ValueError, KeyError)

    def __init__(self, app):
        from arq.connections import RedisSettings, create_pool

        _, settings = apps.load(app)
        self.loop = Loop()
        place = _setting(settings, "redis_settings", None) or RedisSettings()
        self.queue = boot.settings().get("queue_name") or _setting(settings, "queue_name", "arq:queue")
        self.pool = self.loop.call(create_pool(place, job_serializer=_setting(settings, "job_serializer", None)))

    def send(self, task, args, kwargs, options):
        """Enqueue one job and return its id."""
        own = {"_" + name.lstrip("_"): value for name, value in options.items()}
        own.setdefault("_queue_name", self.queue)
        job = self.loop.send(self.pool.enqueue_job(task, *args, **kwargs, **own))
        return job.job_id if job is not None else None

    def close(self):
        self.loop.call(self.pool.close())
        self.loop.close()


def inspect(app):
    """What the live app says of itself; no connection is made."""
    import inspect as signatures

    import arq
    from arq.worker import Worker, func

    _, settings = apps.load(app)
    parameters, asked = signatures.signature(Worker).parameters, boot.settings()
    shown = {}
    for name in SETTINGS:
        if name in parameters:
            value = asked.get(name, _setting(settings, name, parameters[name].default))
            shown[name] = getattr(value, "total_seconds", lambda value=value: value)()
    redis = _setting(settings, "redis_settings", None)
    if redis is not None:
        shown["redis"] = "redis://%s:%s/%s" % (redis.host, redis.port, redis.database)
    functions = [func(one) for one in _setting(settings, "functions", ())] + list(_setting(settings, "cron_jobs", None) or ())
    tasks = {one.name: {"timeout_s": one.timeout_s, "max_tries": one.max_tries} for one in functions}
    missing = dict(MISSING)
    if "timestamp_ms" not in Worker.start_jobs.__code__.co_names:
        missing["retry.delay"] = (
            "before 0.26.3 another worker that has just read the queue may run a retried job before its delay is over"
        )
    return {"version": str(arq.VERSION), "settings": shown, "tasks": tasks, "missing": missing}


MISSING = {"job.rejected": "arq never hands a job back: it stays in the queue until it is done"}


def _setting(settings, name, default):
    if isinstance(settings, dict):
        return settings.get(name, default)
    return getattr(settings, name, default)


__all__ = ["WATCH", "Sender", "attach", "inspect"]
