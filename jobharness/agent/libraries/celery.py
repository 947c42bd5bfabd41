"""Celery 5.3 and newer: its signals, and the places that have none or where one costs too much.

Settings are laid over the app's when its configuration has been loaded (`on_after_configure`). A refused publish and the
settling of a message have no signal: `Task.apply_async`'s exceptions are the producer's to see, and
`celery.worker.request.Request.acknowledge` and `.reject` are wrapped. An execution has two signals, but neither tells which
attempt it is, and `task.request` costs more than the record: the function that Celery builds to run a task is told both.
"""

import datetime
import functools
import sys
import time

from .. import events, intent


def attach_signals(recorder, settings):
    """Record what Celery's signals report (celery/signals.py)."""
    from celery import signals

    record, text, job = recorder.record, recorder.text, recorder.job
    # Job id -> when its retry was sent, and when that may run: it may have been taken, and done, before `task_retry` comes.
    retries_sent = {}

    def connect(signal):
        return lambda handler: signal.connect(handler, weak=False)

    @connect(signals.before_task_publish)
    def enqueue_begin(sender=None, headers=None, properties=None, **_):
        if headers and not headers.get("retries"):
            key, job_id = job(headers["id"])
            intent.began(key)
            record(events.ENQUEUE_BEGIN, key, intent.take(), 0, text(sender), job_id, text(intent.group()))
            if headers.get("eta"):
                record(events.ENQUEUE_NOT_BEFORE, key, _monotonic_ns(headers["eta"]))
            rank = _rank(properties)
            if rank is not None:
                record(events.ENQUEUE_PRIORITY, key, rank)
        elif headers:
            sent_ns = time.monotonic_ns()
            retries_sent[headers["id"]] = sent_ns, _monotonic_ns(headers["eta"]) if headers.get("eta") else sent_ns

    @connect(signals.after_task_publish)
    def enqueue_acknowledged(sender=None, headers=None, **_):
        if headers and not headers.get("retries"):
            record(events.ENQUEUE_ACKNOWLEDGED, job(headers["id"])[0], 0, 0, text(sender))

    # Every job sends this one, and to find a receiver would cost more than the record.
    others, dispatch, job_received = signals.task_received.receivers, signals.task_received.send, events.JOB_RECEIVED

    def send(sender, request=None, **named):
        key, job_id = job(request.id)
        record(job_received, key, 0, (request.request_dict.get("retries") or 0) + 1, text(request.name), job_id)
        return dispatch(sender, request=request, **named) if others else []

    signals.task_received.send = send

    @connect(signals.task_retry)
    def retried(sender=None, request=None, reason=None, **_):
        key = job(request.id)[0]
        attempt = (getattr(request, "retries", 0) or 0) + 1
        sent_ns, due_ns = retries_sent.pop(request.id, (0, 0))
        record(events.JOB_FAILED, key, 0, attempt, text(sender.name), recorder.error(getattr(reason, "exc", None)), 0, sent_ns)
        record(events.JOB_RETRIED, key, max(0, due_ns - sent_ns), attempt, text(sender.name), 0, 0, sent_ns)

    @connect(signals.task_failure)
    def dead(sender=None, task_id=None, exception=None, **_):
        key, name = job(task_id)[0], text(sender.name)
        attempt = (getattr(sender.request, "retries", 0) or 0) + 1
        reason = _death(exception)
        if reason == events.DEAD_TIMED_OUT:
            record(events.JOB_TIMED_OUT, key, 0, attempt, name)
        if reason == events.DEAD_RAISED:
            record(events.JOB_FAILED, key, 0, attempt, name, recorder.error(exception))
        record(events.JOB_DEAD, key, reason, attempt, name, recorder.error(exception))

    @connect(signals.task_revoked)
    def revoked(sender=None, request=None, **_):
        record(events.JOB_DEAD, job(request.id)[0], events.DEAD_REVOKED, 0, text(sender.name), text("revoked"))

    @connect(signals.task_unknown)
    def unknown_task(name=None, id=None, **_):  # noqa: A002  # the signal passes it by this name
        record(events.JOB_DEAD, job(id)[0], events.DEAD_UNKNOWN_TASK, 0, text(name), text("unknown task"))

    @connect(signals.worker_ready)
    def ready(**_):
        record(events.WORKER_READY)

    @connect(signals.worker_shutting_down)
    def stopping(how=None, **_):
        record(events.WORKER_STOPPING, text=text(str(how)))


def attach_tracer(recorder, settings):
    """Record each execution from the function that runs a task (celery/app/trace.py), which every pool calls."""
    from celery import signals
    from celery.app import trace

    record, text, job = recorder.record, recorder.text, recorder.job
    job_running, job_finished = events.JOB_RUNNING, events.JOB_FINISHED
    original = trace.build_tracer

    def running(task_id=None, task=None, **_):
        key, job_id = job(task_id)
        record(events.JOB_RUNNING, key, 0, task.request.retries + 1, text(task.name), job_id)

    @functools.wraps(original)
    def build_tracer(name, task, *args, **kwargs):
        trace_task = original(name, task, *args, **kwargs)
        # Then it may find that the job was done before, and not run it. The signal comes after that.
        may_skip = bool(task.app.conf.worker_deduplicate_successful_tasks)
        if may_skip:
            signals.task_prerun.connect(running, sender=task, weak=False)

        def execute(uuid, args, kwargs, request=None):
            key, job_id = job(uuid)
            attempt = (request.get("retries") or 0) + 1 if request else 1
            if not may_skip:
                record(job_running, key, 0, attempt, text(name), job_id)
            done = trace_task(uuid, args, kwargs, request)
            if done.info is None and done.runtime is not None:
                record(job_finished, key, 0, attempt, text(name))
            return done

        return execute

    trace.build_tracer = build_tracer
    # Whoever imported it by name before: a worker that is forked from a process which had Celery loaded (a zygote).
    holder = sys.modules.get("celery.worker.consumer.consumer")
    if holder is not None:
        holder.build_tracer = build_tracer


def attach_settling(recorder, settings):
    """Record when a message is settled: acknowledged, or rejected (value 1: put back in the queue)."""
    from celery.worker.request import Request

    record, job, job_settled = recorder.record, recorder.job, events.JOB_SETTLED

    acknowledge, reject = Request.acknowledge, Request.reject

    @functools.wraps(acknowledge)
    def acknowledge_recorded(self):
        if not self.acknowledged:
            acknowledge(self)
            if self.acknowledged:
                record(job_settled, job(self.id)[0])

    @functools.wraps(reject)
    def reject_recorded(self, requeue=False):
        if not self.acknowledged:
            reject(self, requeue)
            if self.acknowledged:
                record(events.JOB_REJECTED, job(self.id)[0], int(bool(requeue)))

    Request.acknowledge, Request.reject = acknowledge_recorded, reject_recorded


def attach_ticks(recorder, settings):
    """Record when the scheduler (beat) sends a periodic entry: the one moment at which a tick, its entry and its job meet."""
    from celery.beat import Scheduler

    original = Scheduler.apply_async

    @functools.wraps(original)
    def apply_async(self, entry, *args, **kwargs):
        result = original(self, entry, *args, **kwargs)
        period_ns = int(getattr(getattr(entry.schedule, "run_every", None), "total_seconds", float)() * 1e9)
        if result is not None:
            key = recorder.job(result.id)[0]
            recorder.record(
                events.SCHEDULE_TICK,
                key,
                period_ns,
                0,
                recorder.text(entry.task),
                recorder.text(entry.name),
                recorder.text(_tick(entry)),
            )
        return result

    Scheduler.apply_async = apply_async


def _tick(entry):
    """What names a tick of a crontab, which comes at most once a minute by the wall clock; "" for a plain period."""
    return time.strftime("%Y-%m-%dT%H:%M", time.gmtime()) if hasattr(entry.schedule, "hour") else ""


def attach_settings(recorder, settings):
    """Lay the scenario's settings over every app of this process, once the app has loaded its own."""
    if not settings:
        return
    from celery.app.base import Celery

    original = Celery.__init__

    @functools.wraps(original)
    def init(self, *args, **kwargs):
        original(self, *args, **kwargs)
        self.on_after_configure.connect(functools.partial(_lay_over, settings), weak=False)

    Celery.__init__ = init


WATCH = {
    "celery.signals": attach_signals,
    "celery.app.trace": attach_tracer,
    "celery.worker.request": attach_settling,
    "celery.app.base": attach_settings,
    "celery.beat": attach_ticks,
}


def attach_mishaps(mishaps):
    """Wrap the function of every task as the app defines it, below Celery's own retries (Celery._task_from_fun)."""
    from celery import current_task
    from celery.app.base import Celery

    original = Celery._task_from_fun

    @functools.wraps(original)
    def task_from_fun(self, fun, name=None, *args, **kwargs):
        name = name or self.gen_task_name(fun.__name__, fun.__module__)
        function = mishaps.around(fun, lambda *_, **__: (name, current_task.request.id))
        return original(self, function, name, *args, **kwargs)

    Celery._task_from_fun = task_from_fun


AROUND = {"celery.app.base": attach_mishaps}


class Sender:
    """Calls the app's tasks as its own code does, by `apply_async`."""

    def __init__(self, app):
        from kombu.exceptions import EncodeError

        self.app = _find_app(app)
        self.app.finalize()
        self.app.loader.import_default_modules()
        # What Celery imports at its first send, which would be late by that. Nothing is connected yet.
        self.app.amqp.router, self.app.connection_for_write().transport_cls
        self.not_sent = (EncodeError, TypeError, KeyError, NotImplementedError)  # The last: no result backend for a chord.

    def send(self, task, args, kwargs, options):
        """Enqueue one job and return its id; `options` go to `apply_async` (countdown, eta, priority, queue …)."""
        return self.app.tasks[task].apply_async(args, kwargs, **options).id

    def compose(self, shape, links):
        """A chain, group or chord of Celery's canvas. `immutable` of a link's options: it is not given what came before it."""
        from celery import chain, chord, group, uuid

        ids = [uuid() for _ in links]
        parts = [self._signature(link, job_id) for link, job_id in zip(links, ids)]  # noqa: B905  # Python 3.8
        whole = chord(parts[:-1], parts[-1]) if shape == "chord" else {"chain": chain, "group": group}[shape](parts)
        return ids, whole.apply_async

    def _signature(self, link, job_id):
        options = dict(link["options"], task_id=job_id)
        immutable = options.pop("immutable", False)
        return self.app.tasks[link["task"]].signature(link["args"], link["kwargs"], options=options, immutable=immutable)

    def close(self):
        """End the connections in order. RabbitMQ throws away what a connection sent last that merely breaks off, as it does when
        a process exits: publishes without confirms are not done when `delay` returns. kombu's pools do not close by themselves,
        and `pools.reset()` breaks their connections off (kombu/resource.py, force_close_all; amqp/connection.py, collect).
        """
        import contextlib

        from kombu import pools
        from kombu.utils.functional import lazy

        for pool in pools.connections.values():
            idle = pool._resource.queue
            while idle:
                connection = idle.pop()
                if not isinstance(connection, lazy):  # That one was never opened.
                    with contextlib.suppress(Exception):  # A broker that is gone takes no leave.
                        pool.close_resource(connection)
        self.app.close()


def inspect(app):
    """What the live app says of itself; no connection is made."""
    import celery

    live = _find_app(app)
    live.finalize()
    live.loader.import_default_modules()
    keys = (
        "broker_url", "result_backend", "task_acks_late", "task_acks_on_failure_or_timeout", "task_reject_on_worker_lost",
        "worker_prefetch_multiplier", "worker_concurrency", "worker_pool", "task_time_limit", "task_soft_time_limit",
        "broker_transport_options", "task_default_queue", "task_annotations", "task_serializer", "task_publish_retry",
        "broker_connection_retry_on_startup", "worker_cancel_long_running_tasks_on_connection_loss",
        "worker_max_tasks_per_child", "broker_heartbeat",
    )  # fmt: skip
    settings = {key: live.conf.get(key) for key in keys}
    settings["queues"] = sorted(live.amqp.queues)
    missing = {} if live.conf.result_backend else {"chord": "Celery keeps count of one in its result backend, and it has none"}
    tasks = {
        name: {
            "acks_late": task.acks_late,
            "max_retries": task.max_retries,
            "time_limit": task.time_limit,
            "reject_on_worker_lost": task.reject_on_worker_lost,
        }
        for name, task in live.tasks.items()
        if not name.startswith("celery.")
    }
    return {"version": celery.__version__, "settings": settings, "tasks": tasks, "missing": missing}


def _find_app(name):
    from celery.app.utils import find_app

    return find_app(name)


def _lay_over(settings, sender, **_):
    for key, value in settings.items():
        current = sender.conf.get(key)
        merged = {**current, **value} if isinstance(value, dict) and isinstance(current, dict) else value
        sender.conf[key] = merged


def _death(exception):
    name = type(exception).__name__
    if name == "WorkerLostError":
        return events.DEAD_WORKER_LOST
    if name in ("TimeLimitExceeded", "SoftTimeLimitExceeded"):
        return events.DEAD_TIMED_OUT
    return events.DEAD_RAISED


def _monotonic_ns(eta):
    """The moment of an ISO 8601 eta on this machine's monotonic clock, ns."""
    moment = datetime.datetime.fromisoformat(eta.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.timezone.utc)
    return time.monotonic_ns() + int((moment.timestamp() - time.time()) * 1e9)


def _rank(properties):
    """How urgent a message is, the smaller the sooner; None where it has no priority. In Redis 0 is first, in AMQP it is last."""
    priority = (properties or {}).get("priority")
    if priority is None:
        return None
    from celery import current_app

    url = str(current_app.conf.broker_write_url or current_app.conf.broker_url or "")
    return -priority if url.startswith(("amqp", "pyamqp")) else priority
