"""Which job this code runs for: known from the events that the library's instrumentation records.

An execution is found by its context (a thread, or a coroutine and what it awaits). Code in a thread that a task began by itself
has none: it is taken to run for the one job of the process, where there is only one.
"""

import contextvars

from . import events

__all__ = ["Running"]

ENDS = (
    events.JOB_FINISHED,
    events.JOB_FAILED,
    events.JOB_TIMED_OUT,
    events.JOB_DEAD,
    events.JOB_REJECTED,
    events.JOB_SETTLED,
)


class Running:
    """The executions of this process that are under way. `noting(record)` is a recorder's `record` that keeps them."""

    def __init__(self):
        self._here = contextvars.ContextVar("jobharness_running", default=None)
        self._all = set()

    def noting(self, record):
        """The same function, which notes the beginnings and ends of executions as it records them."""

        def write(kind, key=None, *args, **kwargs):
            if kind == events.JOB_RUNNING:
                self._here.set(key)
                self._all.add(key)
            elif kind in ENDS and key in self._all:
                self._all.discard(key)
            if key is None:
                record(kind, *args, **kwargs)
            else:
                record(kind, key, *args, **kwargs)

        return write

    @property
    def key(self):
        """The key of the job that this code runs for; None where nobody can tell."""
        key = self._here.get()
        if key in self._all:
            return key
        return next(iter(self._all)) if len(self._all) == 1 else None
