"""RQ 1.14 and newer. It has no signals, so its own methods are wrapped:

- `Queue.enqueue_job`, `.schedule_job`, `.enqueue_many`, `.create_job` and `.dequeue_any` (rq/queue.py): enqueue, received, ready;
- `Job.perform` and `.retry` (rq/job.py): running, finished, failed, timed out; the delay of a retry;
- `Worker.handle_job_success`, `.handle_job_failure`, `.handle_job_retry` (rq/worker.py, later rq/worker/base.py): retried,
  dead, settled;
- `StartedJobRegistry.cleanup` (rq/registry.py): jobs whose worker died, noticed by another one;
- `CronJob.enqueue` (rq/cron.py, since 2.4): ticks of `rq cron`.

A job runs in a fork of its own, the work-horse, which ends by `os._exit`. It is settled when RQ has taken it from the registry of
started jobs. RQ swallows an error of Redis there, and then nothing is recorded.
"""

import contextlib
import threading
import time

from .. import apps, boot, events, sending
from ..wrapping import wrap

WORKER_SETTINGS = ("worker_ttl", "default_result_ttl", "maintenance_interval", "job_monitoring_interval")
ATTEMPT_UNKNOWN = 0


class _Within(threading.local):
    """What this thread is doing: RQ sends a job again by the same methods that send it first."""

    sending_again = False
    many = None  # Jobs made by enqueue_many so far.
    abandoned = None  # (job, delay of its retry or None) found by a cleanup.
    errors = 0  # Pipelines that failed for the connection.


def attach(recorder, settings):
    """Wrap everything, once the whole package is there."""
    within = _Within()
    _enqueuing(recorder, within)
    _taking(recorder)
    _executing(recorder)
    _outcomes(recorder, within)
    _abandoned(recorder, within)
    _lay_over(settings)


def _enqueuing(recorder, within):
    from rq import Queue

    def first_send(job, pipeline, call, not_before_s=None):
        # Left open with the app's own pipeline: whether that was ever executed cannot be seen from here.
        if within.sending_again:
            return call()
        sending.begin(recorder, job.id, job.func_name, not_before_s)
        answer = call()
        if pipeline is None:
            sending.acknowledge(recorder, job.id, job.func_name)
        return answer

    @wrap(Queue, "enqueue_job")
    def enqueue_job(original, self, job, pipeline=None, *args, **kwargs):
        return first_send(job, pipeline, lambda: original(self, job, pipeline, *args, **kwargs))

    @wrap(Queue, "schedule_job")
    def schedule_job(original, self, job, datetime, pipeline=None, *args, **kwargs):
        # RQ keeps whole seconds (rq/registry.py): a job may run up to a second before the moment that was asked for.
        not_before_s = datetime.timestamp()
        return first_send(job, pipeline, lambda: original(self, job, datetime, pipeline, *args, **kwargs), not_before_s)

    @wrap(Queue, "setup_dependencies")
    def setup_dependencies(original, self, job, pipeline=None, *args, **kwargs):
        began_ns = time.monotonic_ns()
        answer = original(self, job, pipeline, *args, **kwargs)
        # A job that waits for another is kept by Redis from here on; RQ itself moves it into its queue later.
        if pipeline is None and answer.get_status(refresh=False) == "deferred" and not within.sending_again:
            sending.begin(recorder, job.id, job.func_name, began_ns=began_ns)
            sending.acknowledge(recorder, job.id, job.func_name)
        return answer

    @wrap(Queue, "create_job")
    def create_job(original, *args, **kwargs):
        job = original(*args, **kwargs)
        if within.many is not None:
            sending.begin(recorder, job.id, job.func_name)
            within.many.append(job)
        return job

    @wrap(Queue, "enqueue_many")
    def enqueue_many(original, self, job_datas, pipeline=None, *args, **kwargs):
        within.many = []
        try:
            answer = original(self, job_datas, pipeline, *args, **kwargs)
            for job in within.many if pipeline is None else ():
                sending.acknowledge(recorder, job.id, job.func_name)
            return answer
        finally:
            within.many = None


def _taking(recorder):
    from rq import Queue, Worker

    told = []

    @wrap(Queue, "dequeue_any")
    def dequeue_any(original, *args, **kwargs):
        if not told:
            told.append(True)
            recorder.record(events.WORKER_READY)
        taken = original(*args, **kwargs)
        if taken is not None:
            taken[0].jobharness_attempt = _attempt(taken[0])  # Now: RQ sets what tells it before it runs the job.
            key, job_id = recorder.job(taken[0].id)
            # The function's name is in the pickled data, which the worker itself does not open; its description begins with it.
            name = taken[0].description or ""
            task = recorder.text(name.partition("(")[0]) if "(" in name else 0
            recorder.record(events.JOB_RECEIVED, key, 0, _attempt(taken[0]), task, job_id)
        return taken

    @wrap(Worker, "request_stop")
    def request_stop(original, self, signum, frame):
        recorder.record(events.WORKER_STOPPING, text=recorder.text("signal %s" % signum))
        return original(self, signum, frame)


def _executing(recorder):
    from rq.job import Job
    from rq.timeouts import JobTimeoutException

    record, text = recorder.record, recorder.text

    @wrap(Job, "perform")
    def perform(original, self):
        try:
            name = text(self.func_name)
            self.func  # noqa: B018  # imports the task, as perform is about to
        except Exception:
            self.jobharness_death = events.DEAD_UNKNOWN_TASK
            return original(self)
        key, job_id = recorder.job(self.id)
        attempt = getattr(self, "jobharness_attempt", ATTEMPT_UNKNOWN)
        record(events.JOB_RUNNING, key, 0, attempt, name, job_id)
        try:
            result = original(self)
        except JobTimeoutException as error:
            self.jobharness_death = events.DEAD_TIMED_OUT
            record(events.JOB_TIMED_OUT, key, 0, attempt, name, recorder.error(error))
            raise
        except BaseException as error:
            self.jobharness_death = events.DEAD_RAISED
            record(events.JOB_FAILED, key, 0, attempt, name, recorder.error(error))
            raise
        # In newer versions a task may ask for a retry by returning one: it has not done its work.
        if type(result).__module__ == "rq.job" and type(result).__name__ == "Retry":
            record(events.JOB_FAILED, key, 0, attempt, name, text("returned Retry"))
        else:
            record(events.JOB_FINISHED, key, 0, attempt, name)
        return result


def _outcomes(recorder, within):
    import redis
    from redis.client import Pipeline
    from rq import Worker
    from rq.job import Job

    @wrap(Pipeline, "execute")
    def execute(original, self, *args, **kwargs):
        try:
            return original(self, *args, **kwargs)
        except (redis.ConnectionError, redis.TimeoutError):
            within.errors += 1
            raise

    @wrap(Job, "retry")
    def retry(original, self, *args, **kwargs):
        delay_s = self.get_retry_interval()
        if within.abandoned is not None:
            within.abandoned.append((self, delay_s))
        # Noted now: another worker may have the job before the call that sends it returns.
        self.jobharness_retry = (delay_s, time.monotonic_ns())
        with _sending_again(within):
            return original(self, *args, **kwargs)

    @wrap(Worker, "handle_job_success")
    def handle_job_success(original, self, job, *args, **kwargs):
        with _sending_again(within):
            answer = original(self, job, *args, **kwargs)
        recorder.record(events.JOB_SETTLED, recorder.job(job.id)[0])
        return answer

    @wrap(Worker, "handle_job_failure")
    def handle_job_failure(original, self, job, *args, **kwargs):
        errors, stopped = within.errors, self._stopped_job_id == job.id
        answer = original(self, job, *args, **kwargs)
        if within.errors == errors:
            _record_failure(recorder, job, _death(job, stopped), kwargs.get("exc_string", ""))
        return answer

    if hasattr(Worker, "handle_job_retry"):

        @wrap(Worker, "handle_job_retry")
        def handle_job_retry(original, self, job, queue, retry, *args, **kwargs):
            made = job.number_of_retries or 0
            if made < retry.max:
                job.jobharness_retry = (type(retry).get_interval(made, retry.intervals), time.monotonic_ns())
            with _sending_again(within):
                answer = original(self, job, queue, retry, *args, **kwargs)
            _record_failure(recorder, job, events.DEAD_RAISED, "returned Retry more often than it allows")
            return answer

    @wrap(Worker, "perform_job")
    def perform_job(original, self, *args, **kwargs):
        try:
            return original(self, *args, **kwargs)
        finally:
            if self._is_horse:
                recorder.close()


def _abandoned(recorder, within):
    from rq.registry import FailedJobRegistry, StartedJobRegistry

    @wrap(FailedJobRegistry, "add")
    def add(original, self, job, *args, **kwargs):
        if within.abandoned is not None:
            within.abandoned.append((job, None))
        return original(self, job, *args, **kwargs)

    @wrap(StartedJobRegistry, "cleanup")
    def cleanup(original, self, *args, **kwargs):
        within.abandoned = []
        try:
            answer = original(self, *args, **kwargs)
            for job, _ in within.abandoned:
                _record_failure(recorder, job, events.DEAD_WORKER_LOST, "its worker died (AbandonedJobError)")
            return answer
        finally:
            within.abandoned = None


@contextlib.contextmanager
def _sending_again(within):
    before, within.sending_again = within.sending_again, True
    try:
        yield
    finally:
        within.sending_again = before


def _record_failure(recorder, job, death, why):
    """What became of a job that was not finished: to be run again where `Job.retry` said so, else dead."""
    key, attempt = recorder.job(job.id)[0], 0
    delay_s, asked_ns = vars(job).pop("jobharness_retry", (None, 0))
    if delay_s is not None:
        recorder.record(events.JOB_RETRIED, key, int(delay_s * 1e9), attempt, time_ns=asked_ns)
    else:
        lines = why.strip().splitlines()
        recorder.record(events.JOB_DEAD, key, death, attempt, 0, recorder.text(lines[-1][:500] if lines else ""))
    recorder.record(events.JOB_SETTLED, key)


def _death(job, stopped):
    """Why: as the work-horse knows it, else (in the worker itself) its horse is gone."""
    if stopped:
        return events.DEAD_REVOKED
    known = getattr(job, "jobharness_death", None)
    if known is not None:
        return known
    limit = job.timeout
    overran = (
        isinstance(limit, (int, float))
        and limit > 0
        and job.started_at
        and job.ended_at
        and (
            (job.ended_at - job.started_at).total_seconds() > limit + 60  # The worker itself kills a horse then.
        )
    )
    return events.DEAD_TIMED_OUT if overran else events.DEAD_WORKER_LOST


def _attempt(job):
    """1 for a job that was never started. RQ counts the retries that are left, and not those that were made."""
    if job.started_at is None:
        return 1
    made = getattr(job, "number_of_retries", None)  # Those that the task asked for by returning a Retry.
    return made + 1 if made and job.retries_left is None else ATTEMPT_UNKNOWN


def _lay_over(settings):
    """Worker settings become arguments of every worker, `default_timeout` of every queue, `with_scheduler` of `work`."""
    from rq import Queue, Worker

    chosen = {name: settings[name] for name in WORKER_SETTINGS if name in settings}

    @wrap(Worker, "__init__")
    def init_worker(original, self, *args, **kwargs):
        if "worker_ttl" in chosen:
            kwargs["default_worker_ttl"] = chosen["worker_ttl"]
        accepted = original.__code__.co_varnames[: original.__code__.co_argcount + original.__code__.co_kwonlyargcount]
        kwargs.update((name, value) for name, value in chosen.items() if name in accepted)
        return original(self, *args, **kwargs)

    if "with_scheduler" in settings:

        @wrap(Worker, "work")
        def work(original, self, *args, **kwargs):
            kwargs["with_scheduler"] = settings["with_scheduler"]
            return original(self, *args, **kwargs)

    if "default_timeout" in settings:

        @wrap(Queue, "__init__")
        def init_queue(original, self, *args, **kwargs):
            original(self, *args, **kwargs)
            self._default_timeout = settings["default_timeout"]


def attach_cron(recorder, settings):
    """Record what `rq cron` sends, once Redis has it: the pipeline that holds the job is executed within the call."""
    from rq.cron import CronJob

    @wrap(CronJob, "enqueue")
    def enqueue(original, self, *args, **kwargs):
        job = original(self, *args, **kwargs)
        sending.acknowledge(recorder, job.id, job.func_name)
        minute = time.strftime("%Y-%m-%dT%H:%M", time.gmtime()) if self.cron else ""
        sending.ticked(recorder, job.id, job.func_name, minute, self.interval or 0)
        return job


WATCH = {"rq": attach, "rq.cron": attach_cron}


def attach_mishaps(mishaps):
    """Wrap the call of a job's function; RQ runs a coroutine to its end within it."""
    from rq.job import Job

    @wrap(Job, "_execute")
    def _execute(original, self):
        return mishaps.around(original, lambda job: (job.func_name, job.id))(self)


AROUND = {"rq": attach_mishaps}


class Sender:
    """Calls a function as RQ's users do: by its `delay` where `@job` gave it one, else by the app's queue.

    `options` are those of `Queue.enqueue_call`. Besides, `retry = {max, interval}` is made a Retry, and `enqueue_in` delays the
    job by so many seconds.
    """

    def __init__(self, app):
        import pickle

        self.module, self.queue = _find(app)
        self.not_sent = (TypeError, AttributeError, pickle.PicklingError)

    def send(self, task, args, kwargs, options):
        """Enqueue one job and return its id."""
        _, function = apps.load(task)
        if not options and hasattr(function, "delay"):
            return function.delay(*args, **kwargs).id
        options = _with_retry(dict(options))
        delay_s = options.pop("enqueue_in", None)
        if delay_s is None:
            return self.queue.enqueue_call(function, args=tuple(args), kwargs=kwargs, **options).id
        from datetime import timedelta

        options = {"job_timeout" if name == "timeout" else name: value for name, value in options.items()}
        return self.queue.enqueue_in(timedelta(seconds=delay_s), function, args=tuple(args), kwargs=kwargs, **options).id

    def compose(self, shape, links):
        """Jobs that depend on each other (`depends_on`): of a chain each on the one before, of a chord the last on all."""
        import uuid

        ids = [str(uuid.uuid4()) for _ in links]

        def send():
            made = []
            for number, link in enumerate(links):
                options = dict(link["options"], job_id=ids[number])
                if made and (shape == "chain" or (shape == "chord" and number == len(links) - 1)):
                    options["depends_on"] = made[-1] if shape == "chain" else made
                _, function = apps.load(link["task"])
                made.append(self.queue.enqueue_call(function, tuple(link["args"]), link["kwargs"], **_with_retry(options)))

        return ids, send

    def close(self):
        self.queue.connection.close()


def _with_retry(options):
    if isinstance(options.get("retry"), dict):
        from rq import Retry

        options["retry"] = Retry(**options["retry"])
    return options


def inspect(app):
    """What the live app says of itself; no connection is made."""
    import rq
    from rq import defaults

    module, queue = _find(app)
    settings = {
        "queue": queue.name,
        "is_async": queue._is_async,
        "default_timeout": queue._default_timeout or queue.DEFAULT_TIMEOUT,
        "worker_ttl": defaults.DEFAULT_WORKER_TTL,
        "default_result_ttl": defaults.DEFAULT_RESULT_TTL,
        "maintenance_interval": defaults.DEFAULT_MAINTENANCE_TASK_INTERVAL,
        "job_monitoring_interval": defaults.DEFAULT_JOB_MONITORING_INTERVAL,
        "with_scheduler": False,
        "keeps_popped_jobs": hasattr(rq.Queue, "lmove"),
        "REDIS_URL": _place(queue),
    }
    return {"version": rq.VERSION, "settings": {**settings, **_asked(settings)}, "tasks": _tasks(module), "missing": MISSING}


MISSING = {
    "job.rejected": "RQ never hands a job back to its queue",
    "attempt": "RQ counts the retries that are left and not those that were made: the attempt of a job with retries is unknown",
}


def _asked(settings):
    """The scenario's settings for the worker's command, which the inspector does not run."""
    return {name: value for name, value in boot.settings().items() if name in settings}


def _find(app):
    """`(module, queue)`: the queue that `app` names, else the first that its module has."""
    from rq import Queue

    module, found = apps.load(app)
    if isinstance(found, Queue):
        return module, found
    queues = [value for value in vars(module).values() if isinstance(value, Queue)]
    if found is not None or not queues:
        raise AttributeError("%s is not, and does not hold, an rq.Queue; name one as package.module:queue" % app)
    return module, queues[0]


def _place(queue):
    options = queue.connection.connection_pool.connection_kwargs
    return "redis://%s:%s/%s" % (options.get("host"), options.get("port"), options.get("db") or 0)


def _tasks(module):
    """Every function that the app's module and its package's loaded modules define: RQ runs any that can be imported."""
    import sys
    import types

    package = module.__name__.partition(".")[0]
    homes = [home for name, home in list(sys.modules.items()) if home and name.partition(".")[0] == package]
    return {
        "%s.%s" % (home.__name__, name): {"delay": hasattr(value, "delay")}
        for home in {id(one): one for one in [module, *homes]}.values()
        for name, value in vars(home).items()
        if isinstance(value, types.FunctionType) and value.__module__ == home.__name__ and not name.startswith("_")
    }


__all__ = ["WATCH", "Sender", "attach", "inspect"]
