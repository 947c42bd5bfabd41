"""APScheduler 3.10 and newer. Its events come only after an execution, so its own methods are wrapped.

`BaseScheduler._real_add_job` is every enqueue, `BaseExecutor.submit_job` takes a job, `BaseScheduler.remove_job` settles it:
right after it was submitted and before it has run (apscheduler/schedulers/base.py). `run_job` runs it, or in an event loop
`run_coroutine_job` (apscheduler/executors/base.py): the job that they are given reports when its function is called. A job that
came too late (its misfire grace time is over) is given up. Each tick of a periodic one is a job of its own, by the moment that it
was due at; not of one that a scheduler keeps in its own memory, for itself.
"""

import datetime
import functools
import json
import os
import time

from .. import events, sending
from ..apps import load
from ..wrapping import one_line, replace, wrap

MISSED = "missed: its misfire grace time was over"


def attach_scheduler(recorder, settings):
    """Record what is added and what is removed; the first look for due jobs is readiness."""
    from apscheduler.schedulers.base import BaseScheduler
    from apscheduler.triggers.date import DateTrigger

    looked = []

    @wrap(BaseScheduler, "_real_add_job")
    def add(original, self, job, *args, **kwargs):
        moment = getattr(job, "next_run_time", None) or getattr(job.trigger, "run_date", None)
        delay_s = moment.timestamp() - time.time() if moment is not None else 0.0
        once = isinstance(job.trigger, DateTrigger)
        if once:
            sending.begin(recorder, job.id, name_of(job), delay_s=delay_s if delay_s > 0.001 else 0.0)
        answer = original(self, job, *args, **kwargs)
        if once:
            sending.acknowledge(recorder, job.id, name_of(job))
        return answer

    record, known = recorder.record, recorder.job

    @replace(BaseScheduler, "remove_job")
    def made(original):
        def remove_job(self, job_id, jobstore=None):
            answer = original(self, job_id, jobstore)
            record(events.JOB_SETTLED, known(job_id)[0])
            return answer

        return remove_job

    @wrap(BaseScheduler, "_process_jobs")
    def process_jobs(original, self):
        answer = original(self)
        if not looked and recorder.role == "worker":
            looked.append(True)
            recorder.record(events.WORKER_READY)
        return answer

    @wrap(BaseScheduler, "shutdown")
    def shutdown(original, self, *args, **kwargs):
        recorder.record(events.WORKER_STOPPING)
        return original(self, *args, **kwargs)


def attach_executor(recorder, settings):
    """Record what is submitted and what runs, in threads and in processes."""
    from apscheduler.executors import base
    from apscheduler.job import Job
    from apscheduler.triggers.date import DateTrigger

    _ask_the_job(Job)
    record, known, text = recorder.record, recorder.job, recorder.text
    in_memory = set()  # Job stores; a process that an executor forks knows those of the jobs submitted before.
    if hasattr(base, "run_coroutine_job"):
        attach_loop(base, recorder)

    def receive(job_id, name):
        key, words = known(job_id)
        record(events.JOB_RECEIVED, key, 0, 1, text(name), words)

    @replace(base.BaseExecutor, "submit_job")
    def made(original):
        def submit_job(self, job, run_times):
            if isinstance(job.trigger, DateTrigger):
                receive(job.id, job.func_ref or name_of(job))
            elif _in_memory(job, self._scheduler):
                in_memory.add(job._jobstore_alias)
            else:
                for moment in run_times:
                    job_id, name = _id_of_tick(job, moment), name_of(job)
                    sending.tick(recorder, job_id, name, job_id)
                    receive(job_id, name)
            return original(self, job, run_times)

        return submit_job

    @replace(base, "run_job")
    def made_run(original):
        def run_job(job, jobstore_alias, run_times, logger_name):
            if isinstance(job.trigger, DateTrigger):
                seen = _Seen(job, job.id, recorder)
                told = original(seen, jobstore_alias, run_times, logger_name)
                if not seen.called:
                    seen.miss()
                return told
            if jobstore_alias in in_memory:
                return original(job, jobstore_alias, run_times, logger_name)
            told = []
            for moment in run_times:
                seen = _Seen(job, _id_of_tick(job, moment), recorder)
                told += original(seen, jobstore_alias, [moment], logger_name)
                seen.end_tick()
            return told

        return run_job


def attach_older_loop(recorder, settings):
    """APScheduler 3.10 has `run_coroutine_job` in a module of its own."""
    from apscheduler.executors import base_py3

    attach_loop(base_py3, recorder)


def attach_loop(module, recorder):
    """Record what runs in an event loop."""
    from apscheduler.triggers.date import DateTrigger

    @replace(module, "run_coroutine_job")
    def made(original):
        async def run_coroutine_job(job, jobstore_alias, run_times, logger_name):
            if isinstance(job.trigger, DateTrigger):
                seen = _SeenInLoop(job, job.id, recorder)
                told = await original(seen, jobstore_alias, run_times, logger_name)
                if not seen.called:
                    seen.miss()
                return told
            if _in_memory(job, job._scheduler):
                return await original(job, jobstore_alias, run_times, logger_name)
            told = []
            for moment in run_times:
                seen = _SeenInLoop(job, _id_of_tick(job, moment), recorder)
                told += await original(seen, jobstore_alias, [moment], logger_name)
                seen.end_tick()
            return told

        return run_coroutine_job


def _in_memory(job, scheduler):
    return type(scheduler._jobstores.get(job._jobstore_alias)).__name__ == "MemoryJobStore"


def _id_of_tick(job, moment):
    return "%s@%s" % (job.id, moment.isoformat())


class _Seen:
    """A job whose function reports its calls. What `run_job` asks of it is at hand, since each job pays for it; what else a job
    has it gets from the job (`_ask_the_job`): with a `__getattr__`, Python would look for that whatever is asked."""

    __slots__ = (
        "_job", "_key", "_recorder", "_task", "_text", "args", "called", "function", "id", "job_id", "kwargs",
        "misfire_grace_time",
    )  # fmt: skip

    def __init__(self, job, job_id, recorder):
        self._job, self.job_id, self._recorder, self.called = job, job_id, recorder, False
        self.id, self.args, self.kwargs, self.misfire_grace_time = job.id, job.args, job.kwargs, job.misfire_grace_time
        self.function = job.func
        self._key, self._text = recorder.job(job_id)
        self._task = recorder.text(job.func_ref or name_of(job))

    def __str__(self):
        return str(self._job)

    def record(self, kind, value=0, text=0):
        self._recorder.record(kind, self._key, value, 1, self._task, text)

    def miss(self):
        self.record(events.JOB_DEAD, events.DEAD_REVOKED, self._recorder.text(MISSED))

    def end_tick(self):
        if not self.called:
            self.miss()
        self.record(events.JOB_SETTLED)

    def fail(self, error):
        words = self._recorder.text(one_line(error))
        self.record(events.JOB_FAILED, text=words)
        self.record(events.JOB_DEAD, events.DEAD_RAISED, words)

    def func(self, *args, **kwargs):
        self.called, record = True, self._recorder.record
        record(events.JOB_RUNNING, self._key, 0, 1, self._task, self._text)
        try:
            answer = self.function(*args, **kwargs)
        except BaseException as error:
            self.fail(error)
            raise
        record(events.JOB_FINISHED, self._key, 0, 1, self._task)
        return answer


class _SeenInLoop(_Seen):
    """One whose function is a coroutine."""

    __slots__ = ()

    async def func(self, *args, **kwargs):
        self.called = True
        self.record(events.JOB_RUNNING, text=self._text)
        try:
            answer = await self.function(*args, **kwargs)
        except BaseException as error:
            self.fail(error)
            raise
        self.record(events.JOB_FINISHED)
        return answer


def _ask_the_job(kind):
    """Let a `_Seen` have whatever else a job of this class has."""
    for name in set(dir(kind)) - set(dir(_Seen)):
        setattr(_Seen, name, property(functools.partial(_asked, name)))


def _asked(name, seen):
    return getattr(seen._job, name)


def name_of(job):
    """The name of a job's task: the reference "module:function" that the job store keeps."""
    return str(job.func_ref) if getattr(job, "func_ref", None) else str(job.name)


WATCH = {
    "apscheduler.schedulers.base": attach_scheduler,
    "apscheduler.executors.base": attach_executor,
    "apscheduler.executors.base_py3": attach_older_loop,
}


def attach_mishaps(mishaps):
    """Wrap the function of each job that is reported (see `_Seen`): this is what `attach_executor` calls."""
    from apscheduler.executors import base

    _befall(base, "run_job", mishaps)
    if hasattr(base, "run_coroutine_job"):
        _befall(base, "run_coroutine_job", mishaps)


def attach_mishaps_of_older_loop(mishaps):
    """The same of APScheduler 3.10 in an event loop."""
    from apscheduler.executors import base_py3

    _befall(base_py3, "run_coroutine_job", mishaps)


def _befall(module, name, mishaps):
    @replace(module, name)
    def made(original):
        def run(job, *args, **kwargs):
            if isinstance(job, _Seen):
                job.function = mishaps.around(job.function, lambda *_, **__: (name_of(job), job.job_id))
            return original(job, *args, **kwargs)

        return run


AROUND = {"apscheduler.executors.base": attach_mishaps, "apscheduler.executors.base_py3": attach_mishaps_of_older_loop}


class Sender:
    """Adds jobs to the app's job store by the app's own scheduler, which is started paused: it runs none."""

    not_sent = (TypeError, ValueError, LookupError)

    def __init__(self, app):
        from apscheduler.schedulers.base import BaseScheduler

        _, self.scheduler = load(app)
        BaseScheduler.start(self.scheduler, paused=True)

    def send(self, task, args, kwargs, options):
        """Add one job and return its id; `options` go to `add_job`, and `delay` is how long from now it is due, in seconds."""
        options = dict(options)
        delay_s = options.pop("delay", None)
        if delay_s is not None:
            moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=delay_s)
            options.update(trigger="date", run_date=moment)
        return self.scheduler.add_job(task, args=args, kwargs=kwargs, **options).id

    def close(self):
        for store in self.scheduler._jobstores.values():
            store.shutdown()


def inspect(app):
    """What the live app says of itself; its job stores are made, and connect when the scheduler starts."""
    import pydoc
    from importlib.metadata import version

    _, live = load(app)
    defaults = {name: live._job_defaults.get(name) for name in ("misfire_grace_time", "coalesce", "max_instances")}
    settings = dict(defaults, scheduler=type(live).__name__, timezone=str(live.timezone))
    settings["jobstores"] = {name: type(store).__name__ for name, store in live._jobstores.items()}
    settings["executors"] = {name: type(executor).__name__ for name, executor in live._executors.items()}
    store = live._jobstores.get("default")
    settings["table"] = str(store.jobs_t.fullname) if hasattr(store, "jobs_t") else None
    wanted = json.loads(os.environ.get("JOBHARNESS_TASKS") or "[]")
    missing = {
        "job.timed_out": "APScheduler 3 has no time limit for a job",
        "job.retried": "APScheduler 3 does not retry a job",
        "job.rejected": "APScheduler 3 never hands a job back",
    }
    tasks = {name: {} for name in wanted if callable(pydoc.locate(name.replace(":", ".")))}
    return {"version": version("apscheduler"), "settings": settings, "tasks": tasks, "missing": missing}
