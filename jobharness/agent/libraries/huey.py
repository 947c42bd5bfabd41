"""Huey 2.5 and newer. Most of its signals (huey/signals.py) come too early or without the exception, so its methods are wrapped:

- `Huey.enqueue`, `.dequeue`, `._execute` and `._requeue_task` (huey/api.py): enqueue, ready, received, retried, dead;
- the signals of a task that is never run (`UNRUN`): dead;
- `execute` of each task class that `TaskWrapper.create_task` makes (huey/api.py): running, finished, failed, timed out;
- `Scheduler.loop`, `.enqueue_periodic_tasks` and `Consumer.stop` (huey/consumer.py): ticks, stopping;
- `Registry.create_task` (huey/registry.py): messages of unknown tasks.

A delayed task goes through the queue at once: a worker takes it out and puts it into the schedule, from which the scheduler sends
it again. It counts as received when it is taken out to be run. Huey acknowledges nothing: taking a task removes it.
"""

import calendar
import os
import threading
import time

from .. import apps, boot, events, sending
from ..wrapping import replace, wrap

CONSUMER_SETTINGS = (
    "workers", "periodic", "initial_delay", "backoff", "max_delay", "scheduler_interval", "worker_type", "check_worker_health",
    "health_check_interval", "flush_locks", "max_tasks", "shutdown_timeout", "graceful_signal",
)  # fmt: skip


UNRUN = ("revoked", "expired", "canceled")


class _Here(threading.local):
    """What this thread is doing."""

    again = False  # Sending a task that was sent before: a retry, or one whose time has come.
    periodic = False
    requeued = False


class _Consumer:
    """What this process's consumer is made of, once there is one."""

    workers = 0
    processes = False

    def __init__(self):
        self.ready, self.told, self.lock = set(), False, threading.Lock()


here = _Here()
consumer = _Consumer()
raised = {}  # By its id, what a task that is being executed raised.


def attach(recorder, settings):
    """Wrap the api, once the package is there."""
    _enqueuing(recorder)
    _taking(recorder)
    _executing(recorder)
    _outcomes(recorder)


def attach_consumer(recorder, settings):
    """Wrap the consumer, which the api imports before it is whole itself."""
    from huey.consumer import Consumer, Scheduler

    @wrap(Consumer, "__init__")
    def init(original, self, huey, *args, **kwargs):
        kwargs.update((name, value) for name, value in settings.items() if name in CONSUMER_SETTINGS)
        original(self, huey, *args, **kwargs)
        consumer.workers, consumer.processes = self.workers, self.worker_type == "process"

    @wrap(Scheduler, "loop")
    def scheduler_loop(original, self, *args, **kwargs):
        here.again = True
        try:
            return original(self, *args, **kwargs)
        finally:
            here.again = False

    @wrap(Scheduler, "enqueue_periodic_tasks")
    def enqueue_periodic_tasks(original, self, *args, **kwargs):
        here.again, here.periodic = False, True
        try:
            return original(self, *args, **kwargs)
        finally:
            here.again, here.periodic = True, False

    @wrap(Consumer, "stop")
    def stop(original, self, graceful=False):
        recorder.record(events.WORKER_STOPPING, text=recorder.text("gracefully" if graceful else "at once"))
        return original(self, graceful)


def _enqueuing(recorder):
    from huey.api import Huey, Task

    @wrap(Huey, "enqueue")
    def enqueue(original, self, task, *args, **kwargs):
        if here.again or not isinstance(task, Task):
            return original(self, task, *args, **kwargs)
        name = self._registry.task_to_string(type(task))
        rank = -task.priority if task.priority is not None else None
        sending.begin(recorder, task.id, name, _moment_s(self, task.eta), rank)
        answer = original(self, task, *args, **kwargs)
        sending.acknowledge(recorder, task.id, name)
        if here.periodic:
            minute = time.strftime("%Y-%m-%dT%H:%M", time.gmtime())
            key, words = recorder.job(task.id)[0], recorder.text(name)
            recorder.record(events.SCHEDULE_TICK, key, 0, 0, words, words, recorder.text(minute))
        return answer


def _taking(recorder):
    from huey.api import Huey
    from huey.registry import Registry

    def tell():
        with consumer.lock:
            consumer.ready.add(threading.get_ident())
            all_ready = consumer.processes or len(consumer.ready) >= consumer.workers
            if consumer.told or not all_ready:
                return
            consumer.told = True
        recorder.record(events.WORKER_READY, value=consumer.workers if consumer.processes else 0)

    record, job, text, received = recorder.record, recorder.job, recorder.text, events.JOB_RECEIVED
    classes = {}  # The name and the retries of each: to ask for a name takes as long as a record.

    @replace(Huey, "dequeue")
    def made(original):
        def dequeue(self):
            # Ready once the storage has answered: a blocking one answers within a second that there is nothing.
            task = original(self)
            if not consumer.told and consumer.workers and _answers(self):
                tell()
            if task is not None and (task.eta is None or self.ready_to_run(task)):
                key, job_id = job(task.id)
                kind = type(task)
                if kind not in classes:
                    classes[kind] = self._registry.task_to_string(kind), kind.default_retries
                name, retries = classes[kind]
                attempt = 1 if task.retries == retries else _attempt(task)
                record(received, key, 0, attempt, text(name), job_id)
            return task

        return dequeue

    @replace(Registry, "create_task")
    def made_create(original):
        def create_task(self, message):
            try:
                return original(self, message)
            except Exception as error:
                key, job_id = recorder.job(message.id)
                name = recorder.text(message.name)
                recorder.record(events.JOB_RECEIVED, key, 0, 0, name, job_id)
                recorder.record(events.JOB_DEAD, key, events.DEAD_UNKNOWN_TASK, 0, name, recorder.error(error))
                raise

        return create_task


def _executing(recorder):
    from huey.api import TaskWrapper

    @wrap(TaskWrapper, "create_task")
    def create_task(original, self, *args, **kwargs):
        made = original(self, *args, **kwargs)
        made.execute = _recorded(recorder, made, self.huey._registry.task_to_string(made))
        return made


def _recorded(recorder, kind, name):
    record, job, text = recorder.record, recorder.job, recorder.text
    running, finished = events.JOB_RUNNING, events.JOB_FINISHED
    execute, retries = kind.execute, kind.default_retries

    def recorded(self):
        key, job_id = job(self.id)
        task = text(name)
        attempt = 1 if self.retries == retries else _attempt(self)
        record(running, key, 0, attempt, task, job_id)
        try:
            result = execute(self)
        except BaseException as error:
            raised[self.id] = error
            late = type(error).__name__ == "TaskTimeout"
            record(events.JOB_TIMED_OUT if late else events.JOB_FAILED, key, 0, attempt, task, recorder.error(error))
            raise
        record(finished, key, 0, attempt, task)
        return result

    return recorded


def _outcomes(recorder):
    from huey.api import Huey

    def dead(huey, task, reason, text):
        name = recorder.text(huey._registry.task_to_string(type(task)))
        recorder.record(events.JOB_DEAD, recorder.job(task.id)[0], reason, _attempt(task), name, text)

    def outcome(huey, task):
        error, requeued, here.requeued = raised.pop(task.id), here.requeued, False
        # A worker that is stopped within a task raises KeyboardInterrupt in it: nobody gave the task up, it is gone.
        if not requeued and not isinstance(error, KeyboardInterrupt):
            late = type(error).__name__ == "TaskTimeout"
            dead(huey, task, events.DEAD_TIMED_OUT if late else events.DEAD_RAISED, recorder.error(error))

    @wrap(Huey, "__init__")
    def init(original, self, *args, **kwargs):
        original(self, *args, **kwargs)

        def unrun(signal, task, *args, **kwargs):
            if signal != "canceled" or task.id not in raised:  # A task may cancel itself.
                dead(self, task, events.DEAD_REVOKED, recorder.text(signal))

        self.signal(*UNRUN)(unrun)

    @replace(Huey, "_execute")
    def made_execute(original):
        def execute(self, task, timestamp):
            try:
                answer = original(self, task, timestamp)
            except BaseException:  # The storage refused the outcome.
                raised.pop(task.id, None)
                here.requeued = False
                raise
            if raised and task.id in raised:
                outcome(self, task)
            return answer

        return execute

    @wrap(Huey, "_requeue_task")
    def requeue_task(original, self, task, timestamp, retry_eta=None):
        attempt = _attempt(task)
        delay_s = (retry_eta - timestamp).total_seconds() if retry_eta is not None else task.retry_delay or 0
        here.again, asked_ns = True, time.monotonic_ns()
        try:
            answer = original(self, task, timestamp, retry_eta)
        finally:
            here.again = False
        here.requeued = True
        name = recorder.text(self._registry.task_to_string(type(task)))
        delay_ns = max(0, int(delay_s * 1e9))
        recorder.record(events.JOB_RETRIED, recorder.job(task.id)[0], delay_ns, attempt, name, time_ns=asked_ns)
        return answer


def _answers(huey):
    """Whether the storage is there: huey/storage.py takes a connection that timed out for a queue that is empty."""
    try:
        huey.pending_count()
    except Exception:
        return False
    return True


def _attempt(task):
    """From the retries that are left of the task's own; 0 where the sender gave it others, which nobody counts."""
    made = (task.default_retries or 0) - (task.retries or 0)
    return made + 1 if made >= 0 else 0


def _moment_s(huey, eta):
    """A task's eta, naive and in UTC where Huey is told so, as a wall-clock moment; None without one."""
    if eta is None:
        return None
    if eta.tzinfo is None and huey.utc:
        return calendar.timegm(eta.timetuple()) + eta.microsecond / 1e6
    return eta.timestamp()


WATCH = {"huey": attach, "huey.consumer": attach_consumer}


def attach_mishaps(mishaps):
    """Wrap the function that each task class executes."""
    from huey.api import TaskWrapper

    @wrap(TaskWrapper, "create_task")
    def create_task(original, self, *args, **kwargs):
        made = original(self, *args, **kwargs)
        name = self.huey._registry.task_to_string(made)
        made.execute = mishaps.around(made.execute, lambda task: (name, task.id))
        return made


AROUND = {"huey": attach_mishaps}


class Sender:
    """Makes a task as `TaskWrapper.schedule` does, and enqueues it; `options` are its own (delay in s, priority, retries ...)."""

    def __init__(self, app):
        self.huey = _find(app)
        self.not_sent = (TypeError, KeyError, AttributeError)

    def send(self, task, args, kwargs, options):
        """Enqueue one job and return its id."""
        made = self._made(task, args, kwargs, options)
        self.huey.enqueue(made)
        return made.id

    def _made(self, task, args, kwargs, options):
        from huey.utils import normalize_time

        options = dict(options)
        delay_s = options.pop("delay", None)
        if delay_s is not None:
            options["eta"] = normalize_time(None, delay_s, self.huey.utc)
        return self.huey._registry.string_to_task(task)(tuple(args), dict(kwargs), **options)

    def compose(self, shape, links):
        """A pipeline (`then`), or Huey 3's group or chord."""
        made = [self._made(link["task"], link["args"], link["kwargs"], link["options"]) for link in links]
        ids = [one.id for one in made]
        if shape == "chain":
            for number, after in enumerate(made[1:]):
                made[number].on_complete = after
            whole = made[0]
        else:
            from huey.api import chord, group

            whole = chord(made[:-1], made[-1]) if shape == "chord" else group(made)
        return ids, lambda: self.huey.enqueue(whole)

    def close(self):
        close = getattr(self.huey.storage, "close", None)
        if close is not None:
            close()


def inspect(app):
    """What the live app says of itself; no connection is made, but a SQLite file is."""
    import huey
    from huey import api
    from huey.consumer_options import ConsumerConfig

    live = _find(app)
    storage, asked = live.storage, boot.settings()
    settings = {
        "huey": type(live).__name__,
        "storage": type(storage).__name__,
        "name": storage.name,
        "utc": live.utc,
        "results": live.results,
        "immediate": live.immediate,
    }
    for name in (
        "blocking",
        "read_timeout",
        "queue_key",
        "schedule_key",
        "filename",
        "journal_mode",
        "_journal_mode",
        "priority",
    ):
        if hasattr(storage, name):
            settings[name.lstrip("_")] = getattr(storage, name)
    defaults = ConsumerConfig().values
    settings.update((name, asked.get(name, defaults[name])) for name in CONSUMER_SETTINGS if name in defaults)
    settings["worker_type"] = os.environ.get("JOBHARNESS_POOL") or settings["worker_type"]
    tasks = {
        name: {"retries": kind.default_retries, "retry_delay": kind.default_retry_delay}
        for name, kind in live._registry._registry.items()
    }
    missing = {"job.settled": "Huey acknowledges nothing: a worker that takes a task removes it"}
    missing["job.rejected"] = "Huey never hands a task back to its queue"
    if not hasattr(api, "TaskTimeout"):
        missing["job.timed_out"] = "this version of Huey has no time limit"
    elif settings["worker_type"] == "thread":
        missing["job.timed_out"] = "Huey's time limits work with worker_type process or greenlet, not with threads"
    if not hasattr(api, "chord"):
        missing.update(dict.fromkeys(("group", "chord"), "this version of Huey has pipelines alone"))
    return {"version": huey.__version__, "settings": settings, "tasks": tasks, "missing": missing}


def _find(app):
    from huey.api import Huey

    module, found = apps.load(app)
    if found is None:
        found = next((value for value in vars(module).values() if isinstance(value, Huey)), None)
    if not isinstance(found, Huey):
        raise AttributeError("%s is not a Huey instance; name one as package.module.huey" % app)
    return found


__all__ = ["WATCH", "Sender", "attach", "inspect"]
