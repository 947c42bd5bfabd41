"""Records an enqueue the same way for every library."""

from time import monotonic_ns

from . import events, intent

__all__ = ["acknowledged", "begin"]


def begin(recorder, job_id, task, delay_s=0.0, rank=None, began_ns=0):
    """A send begins. Returns the job's key.

    `delay_s`: how long from its begin it may not run; `rank`: how urgent it is, the smaller the more; `began_ns`: when it began,
    for a library whose job has no id before the broker gives it one (both events are then written when the send has ended).
    """
    key, text = recorder.job(job_id)
    intent.began(key)
    recorder.record(
        events.ENQUEUE_BEGIN, key, intent.take(), 0, recorder.text(task), text, recorder.text(intent.group()), began_ns
    )
    if delay_s > 0:
        recorder.record(events.ENQUEUE_NOT_BEFORE, key, (began_ns or monotonic_ns()) + int(delay_s * 1e9))
    if rank is not None:
        recorder.record(events.ENQUEUE_PRIORITY, key, rank)
    return key


def acknowledged(recorder, job_id, task):
    """The library's call is about to return without an error."""
    recorder.record(events.ENQUEUE_ACKNOWLEDGED, recorder.job(job_id)[0], 0, 0, recorder.text(task))
