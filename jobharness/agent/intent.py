"""What the producer and the instrumentation of the same thread tell each other about one enqueue.

Latency counts from the intended arrival, so that a producer held up by a slow broker cannot hide the wait
(coordinated omission). In return the producer learns which job an enqueue that raised was about.
"""

import threading
from time import monotonic_ns

__all__ = ["began", "group", "intend", "key", "take"]

_thread = threading.local()


def intend(at_ns, group=""):
    """The next enqueue of this thread was meant for `at_ns`; `group` is the key that order and limits go by."""
    _thread.at_ns, _thread.key, _thread.group = at_ns, None, group


def group():
    """The group of the enqueue that this thread was last told of, or ""."""
    return getattr(_thread, "group", "")


def take(now=monotonic_ns):
    """The intended moment of the enqueue that begins now, in ns; now itself, where nobody planned it. Used once."""
    at_ns = getattr(_thread, "at_ns", 0)
    _thread.at_ns = 0
    return at_ns or now()


def began(job_key):
    """The enqueue of this thread got as far as having a job id."""
    _thread.key = job_key


def key():
    """The key of the job whose enqueue last began in this thread since `intend`, or None."""
    return getattr(_thread, "key", None)
