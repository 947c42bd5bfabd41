"""django-q2 1.6 and newer, on any of its brokers. A cluster is a tree of forks: sentinel, pusher, monitor and workers.

`pre_enqueue` and `pre_execute` are signals (django_q/signals.py); what a schedule has due is enqueued by `async_task`, too. The
rest has none that every version sends, so the functions that the processes run are wrapped: `pusher` takes a task from the
broker (received), `worker` puts its result into a queue (finished, failed, timed out), `monitor` acknowledges it (settled) or
leaves it to be delivered again when its lock has run out (retried). A worker that the sentinel ends for its time limit cannot
say so itself: it keeps the job it runs in memory that the two share, and `Sentinel.reincarnate` says it. Attempts are counted
in the database and not in the package: they are not known.
"""

import functools
import importlib.util
import json
import multiprocessing
import os
import time

from .. import events, sending
from ..wrapping import wrap

TIMED_OUT = "Task exceeded maximum timeout value"  # The text of django_q.exceptions.TimeoutException (1.7 and newer).
SLOT_BYTES = 64
TAKEN = "_jobharness_taken_ns"


def attach_settings(recorder, settings):
    """Lay the scenario's settings over Q_CLUSTER, once Django has loaded its own."""
    from django.conf import Settings

    @wrap(Settings, "__init__")
    def init(original, self, *args, **kwargs):
        original(self, *args, **kwargs)
        if settings:
            self.Q_CLUSTER = dict(getattr(self, "Q_CLUSTER", {}), **settings)


due = {}
"""The tick of the schedule that this process's scheduler is about to enqueue."""


def attach_schedules(recorder, settings):
    """Learn which tick comes due: the scheduler asks a schedule for its next run right before it enqueues this one."""
    from django_q.models import Schedule

    @wrap(Schedule, "calculate_next_run")
    def calculate_next_run(original, self, *args, **kwargs):
        due["mark"] = "%s@%s" % (self.name or self.pk, self.next_run.isoformat())
        return original(self, *args, **kwargs)


def attach_tasks(recorder, settings):
    """Record what is enqueued."""
    from django_q import tasks
    from django_q.signals import pre_enqueue

    original = tasks.async_task
    begun = {}

    @functools.wraps(original)
    def async_task(*args, **kwargs):
        mark = due.pop("mark", None)
        task_id = original(*args, **kwargs)
        name = begun.pop(task_id, None)
        if name is not None:
            sending.acknowledge(recorder, task_id, name)
            if mark is not None:
                sending.ticked(recorder, task_id, name, mark)
        return task_id

    def enqueue_begin(sender=None, task=None, **_):
        if not task.get("sync"):
            begun[task["id"]] = name_of(task["func"])
            sending.begin(recorder, task["id"], begun[task["id"]])

    tasks.async_task = async_task
    pre_enqueue.connect(enqueue_begin, weak=False)


def attach_pusher(recorder, settings):
    """Record what the pusher takes; when it begins to, the cluster takes jobs."""
    from django_q import pusher as module

    package, original, asked = module.SignedPackage, module.pusher, {}

    class Package(package):
        """django_q.signing.SignedPackage, whose reading is recorded."""

        @staticmethod
        def loads(raw):
            task = package.loads(raw)
            task[TAKEN] = asked["ns"]
            key, text = recorder.job(task["id"])
            recorder.record(events.JOB_RECEIVED, key, 0, 0, recorder.text(name_of(task["func"])), text)
            return task

    @functools.wraps(original)
    def pusher(task_queue, event, broker=None):
        broker = broker or module.get_broker()
        dequeue = broker.dequeue

        def take():
            # The lock on what comes begins a moment later.
            asked["ns"] = time.monotonic_ns()
            return dequeue()

        broker.dequeue = take
        recorder.record(events.WORKER_READY)
        return original(task_queue, event, broker)

    module.SignedPackage, module.pusher = Package, pusher


def attach_worker(recorder, settings):
    """Record executions, around the queue into which a worker puts its results."""
    from django_q import worker as module
    from django_q.signals import pre_execute

    original, running = module.worker, {}

    def begin(sender=None, task=None, **_):
        if not task.get("sync"):
            key, text = recorder.job(task["id"])
            recorder.record(events.JOB_RUNNING, key, 0, 0, recorder.text(name_of(task["func"])), text)
            _write(running.get("slot"), task["id"] + "\n" + name_of(task["func"]))

    @functools.wraps(original)
    def worker(task_queue, result_queue, timer, *args, **kwargs):
        running["slot"] = getattr(timer, "_jobharness_slot", None)
        return original(task_queue, _Results(result_queue, recorder, running), timer, *args, **kwargs)

    module.worker = worker
    pre_execute.connect(begin, weak=False)


class _Results:
    """The worker's end of the queue of results."""

    def __init__(self, queue, recorder, running):
        self._queue, self._recorder, self._running = queue, recorder, running

    def __getattr__(self, name):
        return getattr(self._queue, name)

    def put(self, task, *args, **kwargs):
        if not task.get("sync"):
            self._note(task)
            _write(self._running.get("slot"), "")
        return self._queue.put(task, *args, **kwargs)

    def _note(self, task):
        key, name = self._recorder.job(task["id"])[0], self._recorder.text(name_of(task["func"]))
        if task["success"]:
            self._recorder.record(events.JOB_FINISHED, key, 0, 0, name)
        elif str(task["result"]).startswith(TIMED_OUT):
            self._recorder.record(events.JOB_TIMED_OUT, key, 0, 0, name)
        else:
            self._recorder.record(events.JOB_FAILED, key, 0, 0, name, self._recorder.text(_first_words(task)))


def attach_monitor(recorder, settings):
    """Record how the broker is told of a result."""
    from django_q import monitor as module
    from django_q.conf import Conf
    from django_q.signals import post_execute

    original, present = module.monitor, {}

    class Finished:
        """The monitor's end of the queue of results."""

        def __init__(self, queue):
            self.queue = queue

        def get(self, *args, **kwargs):
            task = self.queue.get(*args, **kwargs)
            if isinstance(task, dict):
                present.update(
                    key=recorder.job(task["id"])[0], ack_id=task.get("ack_id"), settled=False, taken_ns=task.get(TAKEN)
                )
            return task

    @functools.wraps(original)
    def monitor(result_queue, broker=None):
        broker = broker or module.get_broker()
        acknowledge = broker.acknowledge

        def settle(ack_id):
            answer = acknowledge(ack_id)
            if ack_id == present.get("ack_id") and not present["settled"]:
                present["settled"] = True
                recorder.record(events.JOB_SETTLED, present["key"])
            return answer

        broker.acknowledge = settle
        return original(Finished(result_queue), broker)

    def executed(sender=None, task=None, **_):
        if task["success"] or task.get("sync") or not present:
            return
        name, words = recorder.text(name_of(task["func"])), recorder.text(_first_words(task))
        if present["settled"]:
            reason = events.DEAD_TIMED_OUT if str(task["result"]).startswith(TIMED_OUT) else events.DEAD_RAISED
            recorder.record(events.JOB_DEAD, present["key"], reason, 0, name, words)
        elif Conf.RETRY:
            # Its lock runs from when it was taken.
            held_ns = time.monotonic_ns() - (present["taken_ns"] or time.monotonic_ns())
            recorder.record(events.JOB_RETRIED, present["key"], max(0, int(Conf.RETRY * 1e9) - held_ns), 0, name)

    module.monitor = monitor
    post_execute.connect(executed, weak=False)


def attach_cluster(recorder, settings):
    """Record the stop of a cluster, and the jobs of workers that the sentinel ended for their time limit."""
    from django_q import cluster

    @wrap(cluster.Cluster, "stop")
    def stop(original, self):
        if self.sentinel.is_alive():
            recorder.record(events.WORKER_STOPPING)
        return original(self)

    @wrap(cluster.Sentinel, "spawn_process")
    def spawn_process(original, self, target, *args):
        if target is cluster.worker:
            args[2]._jobharness_slot = multiprocessing.Array("c", SLOT_BYTES * 4)
        return original(self, target, *args)

    @wrap(cluster.Sentinel, "reincarnate")
    def reincarnate(original, self, process):
        timer = getattr(process, "timer", None)
        words = _read(getattr(timer, "_jobharness_slot", None))
        if words and timer.value == 0:
            task_id, _, name = words.partition("\n")
            recorder.record(events.JOB_TIMED_OUT, recorder.job(task_id)[0], 0, 0, recorder.text(name))
        return original(self, process)


def _write(slot, words):
    if slot is not None:
        slot.value = words.encode("utf-8", "replace")[: SLOT_BYTES * 4 - 1]


def _read(slot):
    return slot.value.decode("utf-8", "replace") if slot is not None else ""


def name_of(function):
    """The name of a task: the dotted path of its function."""
    if isinstance(function, str):
        return function
    return "%s.%s" % (getattr(function, "__module__", ""), getattr(function, "__qualname__", function))


def _first_words(task):
    return str(task["result"]).partition(" : Traceback")[0][:500]


WATCH = {
    "django.conf": attach_settings,
    "django_q.models": attach_schedules,
    "django_q.tasks": attach_tasks,
    "django_q.pusher": attach_pusher,
    "django_q.worker": attach_worker,
    "django_q.monitor": attach_monitor,
    "django_q.cluster": attach_cluster,
}


def attach_mishaps(mishaps):
    """Wrap the function that a worker finds by its name, as it finds all but those that were enqueued as objects."""
    from django_q import worker as module
    from django_q.signals import pre_execute

    find, present = module.pydoc.locate, {}

    class Finding:
        """Stands in for the module pydoc, of which a worker uses this one function."""

        @staticmethod
        def locate(name):
            function = find(name)
            if function is None:
                return None
            return mishaps.around(function, lambda *_, **__: (name, present["id"]))

    def begin(sender=None, task=None, **_):
        present["id"] = task["id"]

    module.pydoc = Finding
    pre_execute.connect(begin, weak=False)


AROUND = {"django_q.worker": attach_mishaps}


class Sender:
    """Calls the app's functions as its own code does, by `async_task`. `app` is Django's settings module."""

    not_sent = (TypeError, ImportError, AttributeError)

    def __init__(self, app):
        load(app)
        from django_q import tasks

        self.tasks = tasks

    def send(self, task, args, kwargs, options):
        """Enqueue one job and return its id; `options` are q_options (group, timeout, ack_failure, cluster …)."""
        return self.tasks.async_task(task, *args, q_options=dict(options), **kwargs)

    def close(self):
        from django.db import connections

        connections.close_all()


def load(app):
    """Set Django up as `manage.py` does."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", app)
    django.setup()


def inspect(app):
    """What the live app says of itself; no connection is made."""
    from importlib.metadata import version

    load(app)
    from django.conf import settings as own
    from django_q.conf import Conf

    database = own.DATABASES.get(Conf.ORM or "default", {})
    names = (
        "WORKERS", "TIMEOUT", "RETRY", "MAX_ATTEMPTS", "ACK_FAILURES", "BULK", "QUEUE_LIMIT", "RECYCLE", "MAX_RSS", "POLL",
        "GUARD_CYCLE", "SAVE_LIMIT", "SYNC", "CATCH_UP", "CLUSTER_NAME", "PREFIX", "ORM",
    )  # fmt: skip
    settings = {name.lower(): getattr(Conf, name) for name in names if hasattr(Conf, name)}
    settings["database"] = database.get("ENGINE")
    settings["django"] = version("django")
    missing = {
        "enqueue.not_before": "django-q2 delays a job by a schedule, which enqueues it when it is due",
        "job.rejected": "django-q2 never hands a job back: its lock runs out",
        "attempt": "django-q2's package does not say how often its job was tried",
    }
    if importlib.util.find_spec("django_q.timeout") is None:
        missing["time_out"] = "before 1.7 a job over its time limit is delivered again for ever, whatever max_attempts"
    return {"version": version("django-q2"), "settings": settings, "tasks": _tasks(), "missing": missing}


def _tasks():
    """The functions of the apps' modules `tasks`, and those that the scenario names: django-q2 runs any that can be imported."""
    import pydoc

    from django.apps import apps

    found = {}
    for config in apps.get_app_configs():
        name = config.name + ".tasks"
        if config.name == "django_q" or importlib.util.find_spec(name) is None:
            continue
        module = importlib.import_module(name)
        functions = (one for one in vars(module).values() if callable(one) and getattr(one, "__module__", "") == name)
        found.update((name_of(function), {}) for function in functions)
    for name in json.loads(os.environ.get("JOBHARNESS_TASKS") or "[]"):
        if callable(pydoc.locate(name)):
            found.setdefault(name, {})
    return found
