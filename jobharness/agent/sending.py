"""What every library's instrumentation records of an enqueue, in one place."""

import time

from . import events, intent

__all__ = ["acknowledge", "begin", "monotonic_ns_of"]


def begin(recorder, job_id, task, not_before_s=None, rank=None):
    """An enqueue begins.

    Args: `task`: its name; `not_before_s`: the wall-clock moment (as by time.time()) before which it may not run, None without
    one; `rank`: how urgent it is, the smaller the sooner, None where it has no priority.
    """
    key, words = recorder.job(job_id)
    intent.began(key)
    record, text = recorder.record, recorder.text
    record(events.ENQUEUE_BEGIN, key, intent.take(), 0, text(task), words, text(intent.group()))
    if not_before_s is not None:
        record(events.ENQUEUE_NOT_BEFORE, key, monotonic_ns_of(not_before_s))
    if rank is not None:
        record(events.ENQUEUE_PRIORITY, key, int(rank))


def acknowledge(recorder, job_id, task):
    """The library's call returned: the broker has the job."""
    recorder.record(events.ENQUEUE_ACKNOWLEDGED, recorder.job(job_id)[0], 0, 0, recorder.text(task))


def monotonic_ns_of(moment_s):
    """A wall-clock moment on this machine's monotonic clock, ns."""
    return time.monotonic_ns() + int((moment_s - time.time()) * 1e9)
