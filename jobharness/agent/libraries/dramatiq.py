"""Dramatiq 1.17 and newer: a middleware of its own (dramatiq/middleware/middleware.py), first among the app's, and three wraps.

- `Actor.__call__` (dramatiq/actor.py), within `_WorkerThread.process_message` (dramatiq/worker.py): running, finished, failed,
  timed out. A middleware's `before_process_message` is too early: a later one may still skip the message.
- `_ConsumerThread.handle_message` and `.requeue_messages` (dramatiq/worker.py): received, handed back at a stop.
- `Consumer.__iter__` (dramatiq/broker.py) or `_RedisConsumer.__next__` (dramatiq/brokers/redis.py), the moment when a queue is
  being consumed, and `worker_process` (dramatiq/cli.py), which knows how many processes there are: ready.

A delayed message waits in the memory of a worker, unacknowledged, and is sent again to the queue proper when its time has come:
it counts as received only from there. With RabbitMQ a message is settled when Dramatiq has ordered its acknowledgement from the
connection's own thread, which sends it a moment later.
"""

import contextvars
import threading
import time

from .. import apps, boot, events, sending
from ..wrapping import replace, wrap

BROKER_SETTINGS = ("heartbeat_timeout", "maintenance_chance", "dead_message_ttl")
MIDDLEWARE_SETTINGS = {
    "max_retries": "Retries",
    "min_backoff": "Retries",
    "max_backoff": "Retries",
    "time_limit": "TimeLimit",
    "max_age": "AgeLimit",
}
WORKER_SETTINGS = ("queue_prefetch", "delay_prefetch")
TAKEN = "_jobharness_execution"


class _Here(threading.local):
    """What this thread is doing."""

    execution = None
    asked_ns = 0  # When the retry was asked for: another worker may have the message before the call returns.
    moving = False  # Delayed messages whose time has come are being sent again.
    begun = None  # The id of the message whose enqueue began last, and was not acknowledged.


class _Execution:
    """A message that this process took to run it, and what became of it. It is kept with the message (`TAKEN`)."""

    __slots__ = ("attempt", "failed", "job_id", "key", "message_id", "name", "retried", "running", "skipped")

    def __init__(self, message_id, key, job_id, attempt, name):
        self.message_id, self.key, self.job_id, self.attempt, self.name = message_id, key, job_id, attempt, name
        self.running = False  # Whether the actor's code was called.
        self.failed = self.retried = self.skipped = False


def attach(recorder, settings):
    """Add the middleware to every broker, and wrap what has no hook."""
    from dramatiq.broker import Broker

    here = _Here()
    ours = _middleware(recorder, settings, here)

    @wrap(Broker, "__init__")
    def init(original, self, *args, **kwargs):
        original(self, *args, **kwargs)
        self.middleware.insert(0, ours)

    _taking(recorder, here)
    _executing(recorder, here)
    _ready(recorder, settings)


def _middleware(recorder, settings, here):
    from dramatiq import Middleware

    record = recorder.record

    class Recording(Middleware):
        """Records what Dramatiq tells its middleware."""

        def before_enqueue(self, broker, message, delay):
            # A broken connection makes Dramatiq try again with the same message, within one enqueue.
            if _again(here, message):
                here.asked_ns = time.monotonic_ns()
                return
            if here.begun == message.message_id:
                return
            here.begun = message.message_id
            moment_s = time.time() + delay / 1000 if delay is not None else None
            sending.begin(recorder, message.message_id, message.actor_name, moment_s, _rank(broker, message))

        def after_enqueue(self, broker, message, delay):
            key, name = recorder.job(message.message_id)[0], message.actor_name
            if here.moving:
                return
            if _again(here, message):
                here.execution.retried = True
                delay_ns, text = (delay or 0) * 1_000_000, recorder.text(name)
                recorder.record(events.JOB_RETRIED, key, delay_ns, here.execution.attempt, text, time_ns=here.asked_ns)
            else:
                here.begun = None
                sending.acknowledge(recorder, message.message_id, name)

        def before_process_message(self, broker, message):
            here.execution = getattr(message, TAKEN, None)

        def after_process_message(self, broker, message, *, result=None, exception=None):
            if exception is not None:
                here.execution.failed = True

        def after_skip_message(self, broker, message):
            here.execution.skipped = True

        def after_nack(self, broker, message):
            reason, why = _death(message)
            self._dead(message, reason, why)

        def after_ack(self, broker, message):
            execution = getattr(message, TAKEN, None)
            if execution is None:
                return  # It was sent again when its delay was over.
            if execution.skipped or (execution.failed and not execution.retried):
                # Without the middleware Retries a message that failed is acknowledged, and so is one that was skipped.
                reason, why = (events.DEAD_REVOKED, "skipped") if execution.skipped else _death(message)
                self._dead(message, reason, why)
            else:
                record(events.JOB_SETTLED, execution.key)

        def _dead(self, message, reason, why):
            key, name = recorder.job(message.message_id)[0], recorder.text(message.actor_name)
            execution = getattr(message, TAKEN, None)
            attempt = execution.attempt if execution is not None else 0
            recorder.record(events.JOB_DEAD, key, reason, attempt, name, recorder.text(why) if why else 0)
            recorder.record(events.JOB_SETTLED, key)

        def after_process_boot(self, broker):
            lay_over(broker, settings)

        def before_worker_shutdown(self, broker, worker):
            recorder.record(events.WORKER_STOPPING)

    return Recording()


def _again(here, message):
    """Whether a message is sent again by the worker that has it: for a retry, or because its delay is over."""
    return here.moving or (here.execution is not None and here.execution.message_id == message.message_id)


def _taking(recorder, here):
    from dramatiq.worker import _ConsumerThread

    record, job, text = recorder.record, recorder.job, recorder.text

    @replace(_ConsumerThread, "handle_message")
    def made(original):
        def handle_message(self, message):
            # Asked through the proxy, each attribute of a message is first missed, which takes longer than a record.
            bare = getattr(message, "_message", message)
            options = bare.options
            if options.get("eta") is None:
                message_id = bare.message_id
                key, job_id = job(message_id)
                attempt, name = (options.get("retries") or 0) + 1, text(bare.actor_name)
                setattr(message, TAKEN, _Execution(message_id, key, job_id, attempt, name))
                record(events.JOB_RECEIVED, key, 0, attempt, name, job_id)
            return original(self, message)

        return handle_message

    @replace(_ConsumerThread, "handle_delayed_messages")
    def made_delayed(original):
        def handle_delayed_messages(self):
            if not self.delay_queue.queue:
                return original(self)
            here.moving = True
            try:
                return original(self)
            finally:
                here.moving = False

        return handle_delayed_messages

    @wrap(_ConsumerThread, "requeue_messages")
    def requeue_messages(original, self, messages):
        messages = list(messages)
        answer = original(self, messages)
        for message in messages:
            if message.options.get("eta") is None:
                recorder.record(events.JOB_REJECTED, recorder.job(message.message_id)[0], 1)
        return answer


def _executing(recorder, here):
    from dramatiq.actor import Actor
    from dramatiq.middleware import TimeLimitExceeded

    record = recorder.record

    @replace(Actor, "__call__")
    def made_call(original):
        def call(self, *args, **kwargs):
            execution = here.execution
            # An actor may call another one as a plain function: that is part of this job.
            if execution is None or execution.running:
                return original(self, *args, **kwargs)
            execution.running = True
            key, attempt, name = execution.key, execution.attempt, execution.name
            record(events.JOB_RUNNING, key, 0, attempt, name, execution.job_id)
            try:
                result = original(self, *args, **kwargs)
            except TimeLimitExceeded as error:
                record(events.JOB_TIMED_OUT, key, 0, attempt, name, recorder.error(error))
                raise
            except BaseException as error:
                record(events.JOB_FAILED, key, 0, attempt, name, recorder.error(error))
                raise
            record(events.JOB_FINISHED, key, 0, attempt, name)
            return result

        return call


def _ready(recorder, settings):
    """A process is ready when each of its queues is being consumed."""
    from dramatiq.broker import Consumer
    from dramatiq.worker import Worker

    consumed, lock, state = set(), threading.Lock(), {}

    def tell():
        with lock:
            worker = state.get("worker")
            if worker is None or state.get("told") or not set(worker.consumers) <= consumed:
                return
            state["told"] = True
        recorder.record(events.WORKER_READY, value=_processes["number"])

    @wrap(Worker, "__init__")
    def init(original, self, *args, **kwargs):
        original(self, *args, **kwargs)
        for name in WORKER_SETTINGS:
            if name in settings:
                setattr(self, name, settings[name])

    @wrap(Worker, "start")
    def start(original, self):
        original(self)
        state["worker"] = self
        tell()

    def answered():
        # By its thread: not every consumer of every version knows its queue.
        consumed.add(getattr(threading.current_thread(), "queue_name", None))
        tell()

    @wrap(Consumer, "__iter__")
    def consume(original, self):
        if not hasattr(type(self), "jobharness_answers"):
            answered()  # It has subscribed when it was made.
        return original(self)

    _answered.append(answered)


_answered = []


def attach_redis(recorder, settings):
    """A consumer of Redis asks for messages only when it is iterated: its queue is consumed once Redis has answered."""
    from dramatiq.brokers.redis import _RedisConsumer

    _RedisConsumer.jobharness_answers = True
    first = set()

    @replace(_RedisConsumer, "__next__")
    def made(original):
        def following(self):
            message = original(self)
            if id(self) not in first:
                first.add(id(self))
                for answered in _answered:
                    answered()
            return message

        return following


_processes = {"number": 1}


def attach_processes(recorder, settings):
    """Learn in each worker process how many there are."""
    from dramatiq import cli

    @wrap(cli, "worker_process")
    def worker_process(original, args, *more, **options):
        _processes["number"] = args.processes
        return original(args, *more, **options)


def lay_over(broker, settings):
    """Lay the scenario's settings over a broker and its middleware, by the names of their attributes."""
    for name in BROKER_SETTINGS:
        if name in settings and hasattr(broker, name):
            setattr(broker, name, settings[name])
    for middleware in broker.middleware:
        for name, kind in MIDDLEWARE_SETTINGS.items():
            if name in settings and type(middleware).__name__ == kind:
                setattr(middleware, name, settings[name])


def _rank(broker, message):
    """RabbitMQ's own priority where the message has one (the larger the sooner), else the actor's, where any has one."""
    priority = message.options.get("broker_priority")
    if priority is not None:
        return -priority
    priorities = {name: actor.priority for name, actor in broker.actors.items()}
    return priorities.get(message.actor_name) if any(priorities.values()) else None


def _death(message):
    """`(reason, words)` of a message that was moved to the dead letters, from the exception it carries."""
    error = getattr(message, "_exception", None)
    kind = type(error).__name__
    words = ("%s: %s" % (kind, error))[:500] if error is not None else "failed without an exception"
    reasons = {
        "TimeLimitExceeded": events.DEAD_TIMED_OUT,
        "ActorNotFound": events.DEAD_UNKNOWN_TASK,
        "SkipMessage": events.DEAD_REVOKED,
    }
    return reasons.get(kind, events.DEAD_RAISED), words


WATCH = {"dramatiq": attach, "dramatiq.cli": attach_processes, "dramatiq.brokers.redis": attach_redis}


def attach_mishaps(mishaps):
    """Wrap the function of every actor as the app defines it."""
    from dramatiq.actor import Actor
    from dramatiq.worker import _WorkerThread

    # Not thread-local: Dramatiq runs a coroutine in its event loop's thread, with the context of the one that waits for it.
    present = contextvars.ContextVar("jobharness_message", default="")

    @wrap(_WorkerThread, "process_message")
    def process_message(original, self, message):
        token = present.set(message.message_id)
        try:
            return original(self, message)
        finally:
            present.reset(token)

    @wrap(Actor, "__init__")
    def init(original, self, fn, *args, **kwargs):
        original(self, mishaps.around(fn, lambda *_, **__: (self.actor_name, present.get())), *args, **kwargs)


AROUND = {"dramatiq": attach_mishaps}


class Sender:
    """Sends to the app's actors by `send_with_options`; `options` are its own (delay in ms, max_retries, broker_priority ...)."""

    def __init__(self, app):
        self.broker = find_broker(app)
        self.not_sent = (TypeError, ValueError, KeyError)

    def send(self, task, args, kwargs, options):
        """Enqueue one job and return its id."""
        return self.broker.actors[task].send_with_options(args=tuple(args), kwargs=kwargs, **options).message_id

    def compose(self, shape, links):
        """A pipeline, or a group, with a completion callback where it is a chord (that needs the middleware GroupCallbacks)."""
        from dramatiq import group, pipeline

        messages = [
            self.broker.actors[link["task"]].message_with_options(
                args=tuple(link["args"]), kwargs=link["kwargs"], **link["options"]
            )
            for link in links
        ]
        if shape == "chain":
            whole = pipeline(messages, broker=self.broker)
        else:
            whole = group(messages[:-1] if shape == "chord" else messages, broker=self.broker)
            if shape == "chord":
                whole.add_completion_callback(messages[-1])
        return [message.message_id for message in messages], whole.run

    def close(self):
        self.broker.close()


def inspect(app):
    """What the live app says of itself; no connection is made."""
    import dramatiq
    from dramatiq import worker

    broker = find_broker(app)
    chosen = boot.settings()
    lay_over(broker, chosen)
    middleware = {type(one).__name__: one for one in broker.middleware if type(one).__name__ != "Recording"}
    settings = {
        "broker": type(broker).__name__,
        "queues": sorted(broker.get_declared_queues()),
        "middleware": list(middleware),
        "queue_prefetch": chosen.get("queue_prefetch") or worker.QUEUE_PREFETCH or "twice the threads",
        "delay_prefetch": chosen.get("delay_prefetch") or worker.DELAY_QUEUE_PREFETCH or "1,000 times the threads",
    }
    for name in (*BROKER_SETTINGS, "namespace", "confirm_delivery", "max_priority"):
        if hasattr(broker, name) and not name.startswith("do_"):
            settings[name] = getattr(broker, name)
    for name, kind in MIDDLEWARE_SETTINGS.items():
        if kind in middleware:
            settings[name] = getattr(middleware[kind], name)
    tasks = {name: dict(actor.options, queue=actor.queue_name, priority=actor.priority) for name, actor in broker.actors.items()}
    missing = {} if "GroupCallbacks" in middleware else {"chord": "its broker has no middleware GroupCallbacks"}
    return {"version": dramatiq.__version__, "settings": settings, "tasks": tasks, "missing": missing}


def find_broker(app):
    """The broker, as Dramatiq's own command finds it (dramatiq/cli.py, import_broker)."""
    from dramatiq import get_broker
    from dramatiq.broker import Broker

    _, found = apps.load(app)
    if found is not None and not isinstance(found, Broker):
        found()
        found = None
    return found if found is not None else get_broker()


__all__ = ["WATCH", "Sender", "attach", "inspect"]
