"""Dramatiq 1.17 and newer: wraps of its own methods, each where it says what a middleware would be told.

No middleware of ours (dramatiq/middleware/middleware.py): one that is there is called for everything that happens to a message,
whether it looks or not, and those calls would cost a worker of small jobs as much as all of its records.

- `enqueue` of the brokers (dramatiq/brokers): sent, acknowledged, sent again for a retry.
- `_ConsumerThread.handle_message` and `.requeue_messages` (dramatiq/worker.py): received, handed back at a stop.
- `Actor.__call__` (dramatiq/actor.py), within `_WorkerThread.process_message`: running, finished, failed, timed out. The begin of
  `process_message` is too early: a middleware may still skip the message.
- `ack` and `nack` of their consumers: settled, dead.
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


# A message that this process took to run it is told of by `[what it became, key, attempt, task, job id]`, kept with the message
# (`TAKEN`): a list is made in a quarter of an object's time. What it became is None until the actor's code is called.
RUNNING, FINISHED, FAILED, SKIPPED, RETRIED = range(1, 6)
SETTLED = FINISHED, RETRIED
BECAME = 0
_here = _Here()
_delayed = set()  # The ids of the messages that wait in this process until their time has come.


def attach(recorder, settings):
    """Wrap what every broker has in common."""
    _taking(recorder)
    _executing(recorder)
    _ready(recorder, settings)


def _sending(recorder, broker_kind):
    @wrap(broker_kind, "enqueue")
    def enqueue(original, self, message, *, delay=None):
        message_id, name, execution = message.message_id, message.actor_name, _here.execution
        if message_id in _delayed:  # Its delay is over.
            _delayed.discard(message_id)
            return original(self, message, delay=delay)
        if execution is not None and execution[1] == recorder.job(message_id)[0]:
            # Another worker may have it before the call returns.
            asked_ns = time.monotonic_ns()
            sent = original(self, message, delay=delay)
            execution[BECAME] = RETRIED
            _, key, attempt, task, _ = execution
            recorder.record(events.JOB_RETRIED, key, (delay or 0) * 1_000_000, attempt, task, time_ns=asked_ns)
            return sent
        moment_s = time.time() + delay / 1000 if delay is not None else None
        sending.begin(recorder, message_id, name, moment_s, _rank(self, message))
        sent = original(self, message, delay=delay)
        sending.acknowledge(recorder, message_id, name)
        return sent


def _taking(recorder):
    from dramatiq.worker import _ConsumerThread

    record, job, text = recorder.record, recorder.job, recorder.text

    @replace(_ConsumerThread, "handle_message")
    def made(original):
        def handle_message(self, message):
            # Asked through the proxy, each attribute of a message is first missed, which takes longer than a record.
            bare = message._message
            options = bare.options
            if options.get("eta") is not None:
                _delayed.add(bare.message_id)
            else:
                if _delayed:  # Its connection broke while it waited here, and it waited elsewhere.
                    _delayed.discard(bare.message_id)
                key, job_id = job(bare.message_id)
                attempt, task = (options.get("retries") or 0) + 1, text(bare.actor_name)
                setattr(message, TAKEN, [None, key, attempt, task, job_id])
                record(events.JOB_RECEIVED, key, 0, attempt, task, job_id)
            return original(self, message)

        return handle_message

    @wrap(_ConsumerThread, "requeue_messages")
    def requeue_messages(original, self, messages):
        messages = list(messages)
        answer = original(self, messages)
        for message in messages:
            if message.options.get("eta") is None:
                record(events.JOB_REJECTED, job(message.message_id)[0], 1)
        return answer


def _executing(recorder):
    from dramatiq.actor import Actor
    from dramatiq.middleware import SkipMessage, TimeLimitExceeded
    from dramatiq.worker import _WorkerThread

    record = recorder.record

    @replace(_WorkerThread, "process_message")
    def made(original):
        def process_message(self, message):
            _here.execution = getattr(message, TAKEN, None)
            return original(self, message)

        return process_message

    @replace(Actor, "__call__")
    def made_call(original):
        def call(self, *args, **kwargs):
            execution = _here.execution
            # An actor may call another one as a plain function: that is part of this job.
            if execution is None or execution[BECAME] is not None:
                return original(self, *args, **kwargs)
            _, key, attempt, task, job_id = execution
            execution[BECAME] = RUNNING
            record(events.JOB_RUNNING, key, 0, attempt, task, job_id)
            try:
                result = original(self, *args, **kwargs)
            except BaseException as error:
                execution[BECAME] = SKIPPED if isinstance(error, SkipMessage) else FAILED
                kind = events.JOB_TIMED_OUT if isinstance(error, TimeLimitExceeded) else events.JOB_FAILED
                record(kind, key, 0, attempt, task, recorder.error(error))
                raise
            record(events.JOB_FINISHED, key, 0, attempt, task)
            execution[BECAME] = FINISHED
            return result

        return call


def _settling(recorder, consumer_kind):
    record = recorder.record

    def died(message, reason, why):
        key, task = recorder.job(message.message_id)[0], recorder.text(message.actor_name)
        _, _, attempt, *_ = getattr(message, TAKEN, (None, key, 0))
        record(events.JOB_DEAD, key, reason, attempt, task, recorder.text(why) if why else 0)
        record(events.JOB_SETTLED, key)

    @replace(consumer_kind, "ack")
    def made(original):
        def ack(self, message):
            answer, execution = original(self, message), getattr(message, TAKEN, None)
            if execution is None:
                return answer  # It was sent again when its delay was over.
            became = execution[BECAME]
            if became in SETTLED:
                record(events.JOB_SETTLED, execution[1])
            # Without the middleware Retries a message that failed is acknowledged, and so is one that was skipped.
            elif became == FAILED or message._exception is not None:
                died(message, *_death(message))
            else:
                died(message, events.DEAD_REVOKED, "skipped")
            return answer

        return ack

    @wrap(consumer_kind, "nack")
    def nack(original, self, message):
        answer = original(self, message)
        died(message, *_death(message))
        return answer


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
    def init(original, self, broker, *args, **kwargs):
        lay_over(broker, settings)
        original(self, broker, *args, **kwargs)
        for name in WORKER_SETTINGS:
            if name in settings:
                setattr(self, name, settings[name])

    @wrap(Worker, "start")
    def start(original, self):
        original(self)
        state["worker"] = self
        tell()

    @wrap(Worker, "stop")
    def stop(original, self, *args, **kwargs):
        recorder.record(events.WORKER_STOPPING)
        return original(self, *args, **kwargs)

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


def attach_rabbitmq(recorder, settings):
    """What RabbitMQ's broker and consumer do by themselves."""
    from dramatiq.brokers.rabbitmq import RabbitmqBroker, _RabbitmqConsumer

    _sending(recorder, RabbitmqBroker)
    _settling(recorder, _RabbitmqConsumer)


def attach_redis(recorder, settings):
    """The same of Redis. A consumer of it asks for messages only when it is iterated: its queue is consumed once Redis has
    answered."""
    from dramatiq.brokers.redis import RedisBroker, _RedisConsumer

    _sending(recorder, RedisBroker)
    _settling(recorder, _RedisConsumer)
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


WATCH = {
    "dramatiq": attach,
    "dramatiq.cli": attach_processes,
    "dramatiq.brokers.rabbitmq": attach_rabbitmq,
    "dramatiq.brokers.redis": attach_redis,
}


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
    middleware = {type(one).__name__: one for one in broker.middleware}
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
