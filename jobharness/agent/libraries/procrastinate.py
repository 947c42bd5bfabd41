"""procrastinate 3.2 and newer. Only 3.9 brought middleware, so its own methods are wrapped, the same in every version.

`JobManager.batch_defer_jobs` and its async twin (procrastinate/manager.py) are every enqueue, `defer_periodic_job` that of a
periodic task: the job's id is the database's, so both events of an enqueue are written when the insert has returned.
`JobManager.fetch_job` takes a job, `finish_job` and `retry_job` settle it. `Worker._process_job` runs it, and
`Worker._log_job_outcome` says at once how it ended, with the retry that was decided (procrastinate/worker.py). A process is
ready when it has looked for jobs and listens for new ones.
"""

import contextvars
import datetime
import json
import os
import time
from inspect import signature

from .. import events, sending
from ..wrapping import one_line, wrap

WORKER_SETTINGS = (
    "concurrency", "fetch_job_polling_interval", "abort_job_polling_interval", "shutdown_graceful_timeout", "listen_notify",
    "delete_jobs", "update_heartbeat_interval", "stalled_worker_timeout",
)  # fmt: skip


def attach_manager(recorder, settings):
    """Record what is deferred, taken and settled."""
    from procrastinate.manager import JobManager

    @wrap(JobManager, "batch_defer_jobs")
    def batch_defer_jobs(original, self, jobs, *args, **kwargs):
        began_ns = time.monotonic_ns()
        deferred = original(self, jobs, *args, **kwargs)
        _note_deferred(recorder, deferred, began_ns)
        return deferred

    @wrap(JobManager, "batch_defer_jobs_async")
    async def batch_defer_jobs_async(original, self, jobs, *args, **kwargs):
        began_ns = time.monotonic_ns()
        deferred = await original(self, jobs, *args, **kwargs)
        _note_deferred(recorder, deferred, began_ns)
        return deferred

    @wrap(JobManager, "defer_periodic_job")
    async def defer_periodic_job(original, self, job, periodic_id, defer_timestamp):
        began_ns = time.monotonic_ns()
        job_id = await original(self, job, periodic_id=periodic_id, defer_timestamp=defer_timestamp)
        if job_id is not None:  # Else another worker has deferred this tick.
            rank = -job.priority if job.priority else None
            sending.begin(recorder, job_id, job.task_name, None, rank, began_ns=began_ns)
            sending.acknowledge(recorder, job_id, job.task_name)
            sending.ticked(recorder, job_id, job.task_name, "%s@%s" % (periodic_id, defer_timestamp))
        return job_id

    @wrap(JobManager, "fetch_job")
    async def fetch_job(original, self, *args, **kwargs):
        job = await original(self, *args, **kwargs)
        if job is not None:
            key, text = recorder.job(job.id)
            recorder.record(events.JOB_RECEIVED, key, 0, job.attempts + 1, recorder.text(job.task_name), text)
        readiness.reached("fetched")
        return job

    @wrap(JobManager, "listen_for_jobs")
    async def listen_for_jobs(original, self, *args, **kwargs):
        try:
            return await original(self, *args, **kwargs)
        except Exception:
            # The worker goes on without, and finds jobs by polling (3.2 with psycopg-pool 3.3 always does).
            readiness.reached("listening")
            raise

    for name in ("finish_job", "retry_job"):

        @wrap(JobManager, name)
        async def settle(original, self, job, *args, **kwargs):
            answer = await original(self, job, *args, **kwargs)
            recorder.record(events.JOB_SETTLED, recorder.job(job.id)[0])
            return answer


def _note_deferred(recorder, jobs, began_ns):
    began = time.time() - (time.monotonic_ns() - began_ns) / 1e9
    for job in jobs:
        delay_s = job.scheduled_at.timestamp() - began if job.scheduled_at else 0.0
        rank = -job.priority if job.priority else None
        sending.begin(recorder, job.id, job.task_name, None, rank, delay_s, began_ns)
        sending.acknowledge(recorder, job.id, job.task_name)


class _Readiness:
    """Says that this process takes jobs, once everything that it needs for that was reached."""

    def __init__(self):
        self.recorder, self.needed = None, set()

    def expect(self, recorder, *steps):
        self.recorder, self.needed = recorder, set(steps)

    def reached(self, step):
        if step in self.needed:
            self.needed.discard(step)
            if not self.needed:
                self.recorder.record(events.WORKER_READY)


readiness = _Readiness()


def attach_connector(recorder, settings):
    """Learn when the worker listens: LISTEN has been answered when this loop begins."""
    from procrastinate.psycopg_connector import PsycopgConnector

    @wrap(PsycopgConnector, "_loop_notify")
    async def _loop_notify(original, self, *args, **kwargs):
        readiness.reached("listening")
        return await original(self, *args, **kwargs)


def attach_worker(recorder, settings):
    """Record what a worker runs, and lay the settings over it."""
    from procrastinate.worker import Worker

    @wrap(Worker, "__init__")
    def init(original, self, *args, **kwargs):
        kwargs.update((name, value) for name, value in settings.items() if name in WORKER_SETTINGS)
        original(self, *args, **kwargs)

    @wrap(Worker, "_run_loop")
    async def _run_loop(original, self):
        listens = self.listen_notify and hasattr(self.app.connector, "_loop_notify")
        readiness.expect(recorder, "fetched", *(["listening"] if listens else []))
        return await original(self)

    @wrap(Worker, "stop")
    def stop(original, self):
        if not self._stop_event.is_set():
            recorder.record(events.WORKER_STOPPING)
        return original(self)

    @wrap(Worker, "_process_job")
    async def _process_job(original, self, context):
        job = context.job
        if job.task_name in self.app.tasks:
            key, text = recorder.job(job.id)
            recorder.record(events.JOB_RUNNING, key, 0, job.attempts + 1, recorder.text(job.task_name), text)
        return await original(self, context)

    @wrap(Worker, "_log_job_outcome")
    def _log_job_outcome(original, self, status, context, job_result, job_retry, exc_info=False):
        _note_outcome(recorder, status.value, context.job, job_retry, exc_info)
        return original(self, status, context, job_result, job_retry, exc_info)


def _note_outcome(recorder, status, job, job_retry, error):
    key, task, attempt = recorder.job(job.id)[0], recorder.text(job.task_name), job.attempts + 1
    words = recorder.text(one_line(error)) if isinstance(error, BaseException) else 0
    unknown = type(error).__name__ == "TaskNotFound"
    if status == "succeeded":
        recorder.record(events.JOB_FINISHED, key, 0, attempt, task)
        return
    if status == "failed" and not unknown:
        recorder.record(events.JOB_FAILED, key, 0, attempt, task, words)
    if job_retry is not None:
        recorder.record(events.JOB_RETRIED, key, _delay_ns(job_retry.retry_decision.retry_at), attempt, task)
        return
    reason = events.DEAD_UNKNOWN_TASK if unknown else events.DEAD_REVOKED if status == "aborted" else events.DEAD_RAISED
    recorder.record(events.JOB_DEAD, key, reason, attempt, task, words)


def _delay_ns(moment):
    return max(0, int((moment - datetime.datetime.now(datetime.timezone.utc)).total_seconds() * 1e9)) if moment else 0


WATCH = {
    "procrastinate.manager": attach_manager,
    "procrastinate.psycopg_connector": attach_connector,
    "procrastinate.worker": attach_worker,
}


def load(app):
    """The app with all its tasks, as `procrastinate --app` loads it."""
    from procrastinate import App

    live = App.from_path(app)
    live.perform_import_paths()
    return live


def attach_mishaps(mishaps):
    """Wrap the function of every task. A plain one runs in a thread that has the context of the job's coroutine."""
    from procrastinate.tasks import Task

    @wrap(Task, "__init__")
    def init(original, self, *args, **kwargs):
        original(self, *args, **kwargs)
        self.func = mishaps.around(self.func, lambda *_, **__: (self.name, _present.get()))


def attach_present_job(mishaps):
    """Let each execution know its job."""
    from procrastinate.worker import Worker

    @wrap(Worker, "_process_job")
    async def _process_job(original, self, context):
        _present.set(context.job.id)
        return await original(self, context)


_present = contextvars.ContextVar("jobharness_job", default=0)

AROUND = {"procrastinate.tasks": attach_mishaps, "procrastinate.worker": attach_present_job}


class Sender:
    """Calls the app's tasks as its own synchronous code does, by `configure().defer()` on an open app."""

    def __init__(self, app):
        from procrastinate.exceptions import AlreadyEnqueued, AppNotOpen

        self.not_sent = (AlreadyEnqueued, AppNotOpen, TypeError, KeyError)
        self.app = load(app).open()

    def send(self, task, args, kwargs, options):
        """Enqueue one job and return its id; `options` go to `Task.configure` (schedule_in, priority, queue, lock …)."""
        found = self.app.tasks[task]
        if args:  # Its jobs have keyword arguments only.
            names = list(signature(found.func).parameters)[int(found.pass_context) :]
            kwargs = dict({names[place]: value for place, value in enumerate(args)}, **kwargs)
        return (found.configure(**options) if options else found).defer(**kwargs)

    def close(self):
        self.app.close()


def inspect(app):
    """What the live app says of itself; no connection is made."""
    from importlib.metadata import version

    live = load(app)
    settings = _worker_settings(live)
    settings["connector"] = type(live.connector).__name__
    settings["queues"] = settings.get("queues")
    tasks = {name: _task_settings(task) for name, task in live.tasks.items()}
    missing = {
        "job.timed_out": "procrastinate has no time limit for a job",
        "job.rejected": "procrastinate does not hand a job back",
    }
    return {"version": version("procrastinate"), "settings": settings, "tasks": tasks, "missing": missing}


def _worker_settings(live):
    """The worker's settings: procrastinate's defaults, the app's, the command's and the scenario's, the later the stronger."""
    import inspect as standard

    from procrastinate.worker import Worker

    parameters = standard.signature(Worker.__init__).parameters
    found = {name: parameters[name].default for name in WORKER_SETTINGS if name in parameters}
    found.update((name, value) for name, value in (live.worker_defaults or {}).items())
    found.update(_from_command())
    found.update(json.loads(os.environ.get("JOBHARNESS_SETTINGS") or "{}"))
    return found


def _from_command():
    """What the worker's command says, as procrastinate reads it."""
    from procrastinate import cli

    words = json.loads(os.environ.get("JOBHARNESS_COMMAND") or "[]")
    if "worker" not in words:
        return {}
    first = next((number for number, word in enumerate(words) if word.startswith("-") and word != "-m"), words.index("worker"))
    parser = cli.create_parser()
    cli.add_arguments(parser)
    cli.add_cli_features(parser)
    parsed = vars(parser.parse_args(words[first:]))
    return {name: parsed[name] for name in (*WORKER_SETTINGS, "queues") if name in parsed}


def _task_settings(task):
    strategy = task.retry_strategy
    return {
        "queue": task.queue,
        "lock": task.lock,
        "priority": task.priority,
        "retry": {name: value for name, value in vars(strategy).items() if value is not None} if strategy is not None else None,
    }
