"""taskiq 0.11 and newer: a middleware, and the places that middleware does not see, or sees at a price.

The middleware is added to a broker when it is first used, behind the app's own: it sees a send, and an error. The broker's
`listen` is wrapped where the receiver calls it (taskiq/receiver/receiver.py): a message is received when it yields it, settled
when its `ack` was called, and the process is ready when it listens. `Receiver.run_task` is an execution: to call middleware at
its begin and end would take the receiver as long as all that is recorded.

Retries are sends of a job that has `_retries`, whoever makes them: taskiq's retry middlewares, or a scheduler that they handed it
to. A tick is a send on behalf of a schedule with a period or a cron line (`TaskiqScheduler.on_ready`,
taskiq/scheduler/scheduler.py).

A timeout is one that the label `timeout` asked for and that was reached; a plain function goes on in its thread all the same.
"""

import asyncio
import contextvars
import functools
import json
import os
import sys
import time

from .. import events, sending
from ..contents import Contents
from ..wrapping import one_line, replace, wrap

DELAYS = ("_delay_queue", "_delay_queue_name", "_delayed_message_exchange_plugin")
MARK = "_jobharness_attached"
RETRIES, REQUEUES = "_retries", "X-Taskiq-requeue"
NEVER_SETTLES = (
    "ListQueueBroker", "ListQueueClusterBroker", "ListQueueSentinelBroker", "PubSubBroker", "PubSubSentinelBroker", "NatsBroker",
)  # fmt: skip


def attach_worker(recorder, settings):
    """Record what a worker process takes, settles and runs."""
    from taskiq.receiver.receiver import Receiver

    @wrap(Receiver, "__init__")
    def init(original, self, broker, *args, **kwargs):
        equip(broker, recorder, settings)
        broker.listen = _Listener(recorder, broker, broker.listen).listen
        original(self, broker, *args, **kwargs)

    @replace(Receiver, "run_task")
    def made(original):
        async def run_task(self, target, message, *args, **kwargs):
            execution = _Execution(recorder, message)
            _current.set(execution)
            result = await original(self, target, message, *args, **kwargs)
            execution.end(message)
            return result

        return run_task

    @wrap(Receiver, "listen")
    async def listen(original, self, finish_event):
        waiting = asyncio.ensure_future(_note_stop(recorder, finish_event))
        try:
            await original(self, finish_event)
        finally:
            waiting.cancel()


def attach_sending(recorder, settings):
    """Record what any process of the app sends, and where a retry waits in a schedule source first."""
    from taskiq.kicker import AsyncKicker

    @wrap(AsyncKicker, "kiq")
    async def kiq(original, self, *args, **kwargs):
        equip(self.broker, recorder, settings)
        return await original(self, *args, **kwargs)

    @wrap(AsyncKicker, "schedule_by_time")
    async def schedule_by_time(original, self, source, at, *args, **kwargs):
        answer = await original(self, source, at, *args, **kwargs)
        task_id = getattr(self, "custom_task_id", None)
        execution = _current.get()
        if execution is not None and execution.task_id == task_id:
            execution.retry(at.timestamp() - time.time())
        return answer


def attach_settings(recorder, settings):
    """Lay the settings over a broker before it connects."""
    from taskiq.abc.broker import AsyncBroker

    @wrap(AsyncBroker, "startup")
    async def startup(original, self):
        equip(self, recorder, settings)
        return await original(self)


def attach_scheduler(recorder, settings):
    """Know for which schedule a send is."""
    from taskiq.scheduler.scheduler import TaskiqScheduler

    @wrap(TaskiqScheduler, "on_ready")
    async def on_ready(original, self, source, task):
        equip(self.broker, recorder, settings)
        token = _schedule.set(task)
        try:
            return await original(self, source, task)
        finally:
            _schedule.reset(token)


WATCH = {
    "taskiq.receiver.receiver": attach_worker,
    "taskiq.kicker": attach_sending,
    "taskiq.abc.broker": attach_settings,
    "taskiq.scheduler.scheduler": attach_scheduler,
}


def equip(broker, recorder, settings):
    """Lay the settings over a broker and add the middleware, once."""
    if getattr(broker, MARK, None) is None:
        hooks = _Hooks(recorder)
        setattr(broker, MARK, hooks)
        lay_over(broker, settings)
        broker.add_middlewares(hooks.middleware())
        # taskiq 0.11 tells the first middleware first of an error, newer ones the last: it is to be heard before a retry is sent.
        broker.add_middlewares(hooks.early_ear())
        broker.middlewares.insert(0, broker.middlewares.pop())


class _Hooks:
    """What a broker of this process does, recorded."""

    def __init__(self, recorder):
        self.recorder = recorder

    def middleware(self):
        """A middleware of taskiq that reports here."""
        from taskiq import TaskiqMiddleware

        hooks = self

        class Recording(TaskiqMiddleware):
            """jobharness: records sends and errors."""

            def pre_send(self, message):
                return hooks.sending(message)

            def post_send(self, message):
                hooks.sent(message)

            def on_error(self, message, result, exception):
                hooks.failed(message, exception)

        return Recording()

    def early_ear(self):
        """A second one, for errors alone; only the first of the two to hear of an error records it."""
        from taskiq import TaskiqMiddleware

        hooks = self

        class Hearing(TaskiqMiddleware):
            """jobharness: hears of errors first."""

            def on_error(self, message, result, exception):
                hooks.failed(message, exception)

        return Hearing()

    def sending(self, message):
        """A send begins: a new job's, or a retry's (a scheduler that sends a retry later is not asked again)."""
        if RETRIES in message.labels:
            execution = _current.get()
            if execution is not None and execution.task_id == message.task_id:
                execution.retry(_number(message.labels.get("delay")))
            return message
        sending.begin(self.recorder, message.task_id, message.task_name, delay_s=_number(message.labels.get("delay")))
        return message

    def sent(self, message):
        """The broker took it."""
        if RETRIES in message.labels:
            return
        sending.acknowledge(self.recorder, message.task_id, message.task_name)
        schedule = _schedule.get()
        if schedule is None:
            return
        # A period came with taskiq 0.12; it is a number of seconds or a timedelta.
        every = getattr(schedule, "interval", None) or 0
        if every or schedule.cron:
            minute = time.strftime("%Y-%m-%dT%H:%M", time.gmtime()) if schedule.cron else ""
            every_s = every.total_seconds() if hasattr(every, "total_seconds") else every
            sending.ticked(self.recorder, message.task_id, message.task_name, minute, every_s)

    def failed(self, message, exception):
        """The task's code raised, or ran out of time."""
        execution = _current.get()
        if execution is not None:
            execution.fail(exception, message)


# The execution that the present asyncio task is about: a retry may begin in this process before its predecessor has ended.
_current = contextvars.ContextVar("jobharness_execution", default=None)
_schedule = contextvars.ContextVar("jobharness_schedule", default=None)


class _Execution:
    """One execution of a job in this process, recorded: it begins when this is made."""

    __slots__ = ("again", "attempt", "began", "error", "key", "recorder", "requeues", "task", "task_id", "timed_out")

    def __init__(self, recorder, message):
        fields = vars(message)  # A model of pydantic looks for a `__getattr__` of its own at each attribute.
        self.recorder, self.task_id, self.error = recorder, fields["task_id"], None
        self.key, text = recorder.job(self.task_id)
        self.task, self.attempt = recorder.text(fields["task_name"]), _attempt(fields["labels"])
        self.requeues = fields["labels"].get(REQUEUES)
        self.timed_out = self.again = False
        self.began = time.monotonic()
        recorder.record(events.JOB_RUNNING, self.key, 0, self.attempt, self.task, text)

    def record(self, kind, value=0, text=0):
        self.recorder.record(kind, self.key, value, self.attempt, self.task, text)

    def fail(self, exception, message):
        """Note how it ended; only the first call counts."""
        if self.error is not None:
            return
        self.error = exception
        if type(exception).__name__ in ("NoResultError", "TaskRejectedError"):
            return  # Not a failure: the task asked to be put back, or to be dropped.
        limit_s = _number(message.labels.get("timeout"))
        self.timed_out = isinstance(exception, asyncio.TimeoutError) and 0 < limit_s <= time.monotonic() - self.began + 0.001
        if self.timed_out:
            self.record(events.JOB_TIMED_OUT)
        else:
            self.record(events.JOB_FAILED, text=self.recorder.text(one_line(exception)))

    def retry(self, delay_s):
        """The library sends the job again."""
        self.again = True
        self.record(events.JOB_RETRIED, int(delay_s * 1e9))

    def end(self, message):
        """Finished, put back, or given up; a retry was told of when it was sent."""
        if self.error is None:
            self.recorder.record(events.JOB_FINISHED, self.key, 0, self.attempt, self.task)
            return
        name = type(self.error).__name__
        put_back = message.labels.get(REQUEUES) != self.requeues
        if name == "NoResultError" and not self.again and not put_back:
            self.record(events.JOB_FINISHED)
        elif put_back:
            self.record(events.JOB_REJECTED, 1)
        elif name == "TaskRejectedError":
            self.record(events.JOB_REJECTED)
            self.record(events.JOB_DEAD, events.DEAD_REVOKED, self.recorder.text("rejected"))
        elif not self.again:
            reason = events.DEAD_TIMED_OUT if self.timed_out else events.DEAD_RAISED
            self.record(events.JOB_DEAD, reason, self.recorder.text(one_line(self.error)))


class _Listener:
    """Stands in for a broker's `listen`."""

    def __init__(self, recorder, broker, original):
        self.recorder, self.broker, self.original = recorder, broker, original
        self.contents = Contents(broker.formatter)

    async def listen(self):
        """The broker's messages, each recorded as it comes."""
        ready = asyncio.ensure_future(_note_ready(self.recorder, self.broker))
        messages = self.original()
        try:
            async for message in messages:
                yield self.received(message)
        finally:
            ready.cancel()
            if hasattr(messages, "aclose"):
                await messages.aclose()

    def received(self, message):
        """Record a message, and see to it that its settling is recorded; the receiver deals with one that cannot be read."""
        try:
            content = self.contents.read(getattr(message, "data", message))
        except Exception:
            return message
        fields = vars(content)
        name = fields["task_name"]
        key, text = self.recorder.job(fields["task_id"])
        task, attempt = self.recorder.text(name), _attempt(fields["labels"])
        self.recorder.record(events.JOB_RECEIVED, key, 0, attempt, task, text)
        if self.broker.find_task(name) is None:
            self.recorder.record(
                events.JOB_DEAD, key, events.DEAD_UNKNOWN_TASK, attempt, task, self.recorder.text("unknown task")
            )
        if hasattr(message, "ack"):
            # Past pydantic, which would take longer to set it than all of this.
            object.__setattr__(message, "ack", functools.partial(_settle, self.recorder.record, key, message.ack))
        return message


async def _settle(record, key, acknowledge):
    answer = acknowledge()
    if hasattr(answer, "__await__"):
        answer = await answer
    record(events.JOB_SETTLED, key)
    return answer


async def _note_ready(recorder, broker):
    """Say that this process takes jobs, once it does: when Redis has answered, or NATS for a core subscription."""
    await asyncio.sleep(0)
    pool = getattr(broker, "connection_pool", None)
    if pool is not None:
        await _answered(pool)
    client = getattr(broker, "client", None)
    if type(client).__module__.startswith("nats."):
        while not client._subs:
            await asyncio.sleep(0.001)
        await client.flush()
    recorder.record(events.WORKER_READY, value=_processes())


async def _answered(pool):
    """Wait until Redis answers over the broker's connections."""
    from redis.asyncio import Redis
    from redis.exceptions import RedisError

    while True:
        try:
            async with Redis(connection_pool=pool) as client:
                await client.ping()
            return
        except (RedisError, OSError):
            await asyncio.sleep(0.05)


async def _note_stop(recorder, finish_event):
    await finish_event.wait()
    recorder.record(events.WORKER_STOPPING)


def _processes():
    """How many processes the worker command of this process has."""
    arguments = worker_arguments()
    return arguments.workers if arguments is not None else 1


def worker_arguments():
    """The worker's command as taskiq reads it (its WorkerArgs), or None where it is not `taskiq worker ...`."""
    from taskiq.cli.worker.args import WorkerArgs

    words = json.loads(os.environ.get("JOBHARNESS_COMMAND") or "[]")
    return WorkerArgs.from_cli(words[words.index("worker") + 1 :]) if "worker" in words else None


def lay_over(broker, settings):
    """Set the broker's attributes, public or private, as the scenario says."""
    for name, value in settings.items():
        attribute = name if hasattr(broker, name) else "_" + name
        if not hasattr(broker, attribute):
            raise AttributeError("%s has no setting %r" % (type(broker).__name__, name))
        setattr(broker, attribute, value)


def _attempt(labels):
    if RETRIES not in labels and REQUEUES not in labels:
        return 1
    return 1 + int(_number(labels.get(RETRIES))) + int(_number(labels.get(REQUEUES)))


def _number(label):
    if label is None:
        return 0.0
    try:
        return float(label)
    except (TypeError, ValueError):
        return 0.0


def load(app):
    """The app's broker with all its tasks, as `taskiq worker` loads them."""
    import inspect

    from taskiq.cli.utils import import_object, import_tasks

    arguments = worker_arguments()
    broker = import_object(app, app_dir=arguments.app_dir) if arguments is not None and arguments.app_dir else import_object(app)
    if inspect.isfunction(broker):
        broker = broker()
    if arguments is not None:
        import_tasks(arguments.modules, arguments.tasks_pattern, arguments.fs_discover)
    return broker


def attach_mishaps(mishaps):
    """Wrap a task's function when the receiver is about to run it."""
    from taskiq.receiver.receiver import Receiver

    @wrap(Receiver, "run_task")
    async def run_task(original, self, target, message, *args, **kwargs):
        wrong = mishaps.around(target, lambda *_, **__: (message.task_name, message.task_id))
        return await original(self, wrong, message, *args, **kwargs)


AROUND = {"taskiq.receiver.receiver": attach_mishaps}


class Sender:
    """Calls the app's tasks as its own code does, by `kiq`; the broker's connections are kept."""

    not_sent = (TypeError, KeyError)

    def __init__(self, app):
        from ..loop import Loop

        self.broker = load(app)
        self.loop = Loop()
        self.loop.call(self.broker.startup())

    def send(self, task, args, kwargs, options):
        """Enqueue one job and return its id; `options` are labels (delay, priority, timeout, max_retries …)."""
        decorated = self.broker.find_task(task)
        if decorated is None:
            raise KeyError(task)
        return self.loop.send(decorated.kicker().with_labels(**options).kiq(*args, **kwargs)).task_id

    def close(self):
        self.loop.call(self.broker.shutdown())
        self.loop.close()


def inspect(app):
    """What the live app says of itself; no connection is made."""
    from importlib.metadata import version

    broker = load(app)
    lay_over(broker, json.loads(os.environ.get("JOBHARNESS_SETTINGS") or "{}"))
    settings = {"broker": type(broker).__name__, "formatter": type(broker.formatter).__name__}
    settings.update(
        (name.lstrip("_"), value)
        for name, value in vars(broker).items()
        if isinstance(value, (str, int, float, bool, type(None))) and name != MARK
    )
    settings.update(_queues(broker))
    arguments = worker_arguments()
    names = ("workers", "ack_type", "max_async_tasks", "max_prefetch", "max_threadpool_threads", "wait_tasks_timeout")
    settings.update((name, getattr(arguments, name, None)) for name in names if arguments is not None)
    settings["middlewares"] = [type(one).__name__ for one in broker.middlewares]
    package = type(broker).__module__.partition(".")[0]
    if package != "taskiq":
        settings["broker_version"] = "%s %s" % (package, version(package.replace("_", "-")))
    tasks = {name: dict(task.labels) for name, task in broker.get_all_tasks().items()}
    missing = {}
    if type(broker).__name__ in NEVER_SETTLES:
        missing["job.settled"] = "%s does not acknowledge: a message is gone once it was taken" % type(broker).__name__
    if not any(hasattr(broker, name) and getattr(broker, name) for name in DELAYS):
        missing["enqueue.not_before"] = "%s does not delay a job; taskiq's scheduler does" % type(broker).__name__
    if _may_miss_its_stop(broker):
        missing["stop"] = (
            "an idle worker may go on after SIGTERM: taskiq ends it by a cancellation, which asyncio.wait_for of Python %d.%d can"
            " swallow (python/cpython#86296); Python 3.12 or uvloop cures it" % sys.version_info[:2]
        )
    return {"version": version("taskiq"), "settings": settings, "tasks": tasks, "missing": missing}


def _may_miss_its_stop(broker):
    """Whether the end of an idle worker is a matter of luck, or worse.

    Newer receivers cancel their broker's `listen`. Their signal handler does not wake asyncio's loop, so the cancellation comes
    in the turn in which the broker's answer does; and redis-py 8, whose sockets have a timeout by default, sends its next command
    by `asyncio.wait_for` in just that turn: never seen to end. nats-py fetches with it; aio-pika's
    iterator waits with it, and ended at some times and not at others. uvloop is woken by a signal.
    """
    from importlib.metadata import version
    from importlib.util import find_spec

    from taskiq.receiver.receiver import Receiver

    if sys.version_info >= (3, 12) or find_spec("uvloop") is not None or not hasattr(Receiver, "_close_prefetch_state"):
        return False
    if type(broker).__module__.startswith("taskiq_redis."):
        by_default = 5 if int(version("redis").partition(".")[0]) >= 8 else None
        return getattr(broker.connection_pool, "connection_kwargs", {}).get("socket_timeout", by_default) is not None
    return type(broker).__module__.startswith(("taskiq_nats.", "taskiq_aio_pika."))


def _queues(broker):
    """What an AMQP broker's queues are called (taskiq-aio-pika), or a JetStream consumer (taskiq-nats)."""
    found = {"task_queues": [getattr(queue, "name", queue) for queue in getattr(broker, "_task_queues", [])]}
    for name in ("_queue", "_delay_queue", "_dead_letter_queue", "_queue_name", "_delay_queue_name", "_dead_letter_queue_name"):
        queue = getattr(broker, name, None)
        if queue is not None:
            found[name.strip("_").replace("_name", "")] = getattr(queue, "name", queue)
    if hasattr(broker, "stream_name"):  # JetStream, where the workers are one consumer.
        config = broker.consumer_config
        push = type(broker).__name__.startswith("Push")
        found["consumer"] = (
            config.durable_name if config is not None else broker.default_consumer_name if push else broker.durable
        )
    return found
