"""What every library's instrumentation records of an enqueue, in one place."""

import time

from . import events, intent

__all__ = ["acknowledge", "begin", "monotonic_ns_of", "refuse", "tick", "ticked"]


def begin(recorder, job_id, task, not_before_s=None, rank=None, delay_s=0.0, began_ns=0):
    """An enqueue begins. Returns the job's key.

    Args: `task`: its name; `not_before_s`: the wall-clock moment (as by time.time()) before which it may not run, None without
    one, or `delay_s`: how long from its begin it may not; `rank`: how urgent it is, the smaller the sooner, None where it has no
    priority; `began_ns`: when it began, for a library whose job has no id before the broker gives it one (both events are then
    written when the send has ended).
    """
    key, words = recorder.job(job_id)
    intent.began(key)
    record, text = recorder.record, recorder.text
    record(events.ENQUEUE_BEGIN, key, intent.take(), 0, text(task), words, text(intent.group()), began_ns)
    if not_before_s is not None:
        record(events.ENQUEUE_NOT_BEFORE, key, monotonic_ns_of(not_before_s))
    elif delay_s > 0:
        record(events.ENQUEUE_NOT_BEFORE, key, (began_ns or time.monotonic_ns()) + int(delay_s * 1e9))
    if rank is not None:
        record(events.ENQUEUE_PRIORITY, key, int(rank))
    return key


def acknowledge(recorder, job_id, task):
    """The library's call returned, or is about to, without an error: the broker has the job."""
    recorder.record(events.ENQUEUE_ACKNOWLEDGED, recorder.job(job_id)[0], 0, 0, recorder.text(task))


def refuse(recorder, job_id, task, why):
    """The library did not take the job, and said so."""
    recorder.record(events.ENQUEUE_REFUSED, recorder.job(job_id)[0], 0, 0, recorder.text(task), recorder.text(why))


def tick(recorder, job_id, task, mark, not_before_s=None):
    """A scheduler sent a periodic job, of which nothing is known before that; `mark` is what names this tick of it."""
    begin(recorder, job_id, task, not_before_s)
    acknowledge(recorder, job_id, task)
    ticked(recorder, job_id, task, mark)


def ticked(recorder, job_id, task, mark="", every_s=0.0):
    """The same where the send is recorded by itself. `mark`: "" for a plain period, which is `every_s`."""
    name = recorder.text(task)
    recorder.record(events.SCHEDULE_TICK, recorder.job(job_id)[0], int(every_s * 1e9), 0, name, name, recorder.text(mark))


def monotonic_ns_of(moment_s):
    """A wall-clock moment on this machine's monotonic clock, ns."""
    return time.monotonic_ns() + int((moment_s - time.time()) * 1e9)
