"""What the sender of a job and the instrumentation of its library tell each other about one enqueue.

Latency counts from the intended arrival, so that a producer held up by a slow broker cannot hide the wait
(coordinated omission). In return the sender learns which job an enqueue that raised was about.

What is said is kept in a context variable: threads, greenlets (which are all one thread, and take turns in the middle of an
enqueue) and tasks of asyncio each have their own.
"""

from contextvars import ContextVar
from time import monotonic_ns

__all__ = ["began", "group", "intend", "key", "take"]

_said = ContextVar("jobharness_intent")


class _Enqueue:
    """One enqueue. Mutable: a task of asyncio has a copy of the context, and what it says here is to be read outside."""

    __slots__ = ("at_ns", "group", "key")

    def __init__(self, at_ns, group):
        self.at_ns, self.group, self.key = at_ns, group, None


def intend(at_ns, group=""):
    """The next enqueue from here was meant for `at_ns`; `group` is the key that order and limits go by."""
    _said.set(_Enqueue(at_ns, group))


def group():
    """The group of the enqueue that was last told of here, or ""."""
    said = _said.get(None)
    return said.group if said is not None else ""


def take(now=monotonic_ns):
    """The intended moment of the enqueue that begins now, in ns; now itself, where nobody planned it. Used once."""
    said = _said.get(None)
    if said is None or not said.at_ns:
        return now()
    at_ns, said.at_ns = said.at_ns, 0
    return at_ns


def began(job_key):
    """The enqueue from here got as far as having a job id."""
    said = _said.get(None)
    if said is not None:
        said.key = job_key


def key():
    """The key of the job whose enqueue last began here since `intend`, or None."""
    said = _said.get(None)
    return said.key if said is not None else None
