"""Keeps the producer's moments: it runs before what it loads, sleeps finely, and spins for the last stretch only.

A send that is late because its own process waited for a processor would be held against the queue.
"""

import ctypes
import os
from time import monotonic_ns, sleep

__all__ = ["go_first", "sleep_until"]

SPIN_NS = 100_000  # The last stretch before a moment is not slept: with the finest timers a sleep overruns by some 20 us.
NICE = -15
AUTOGROUP = "/proc/self/autogroup"
_SET_TIMER_SLACK = 29  # PR_SET_TIMERSLACK (prctl(2)); Linux rounds a thread's sleeps up by 50 us unless it is told otherwise.


def go_first():
    """Let this thread run before others, as far as it may: root, or CAP_SYS_NICE. Never raises.

    Not in the real-time class: on few cores a producer that sends a backlog there leaves the broker no time to read it. Linux
    weighs sessions against each other before it looks at what is in them (sched_autogroup, sched(7)), and each process of a run
    has a session of its own.
    """
    try:
        with open(AUTOGROUP, "w", encoding="ascii") as group:
            group.write(str(NICE))
        os.nice(NICE)
    except OSError:
        pass
    try:
        ctypes.CDLL(None).prctl(_SET_TIMER_SLACK, 1, 0, 0, 0)
    except (AttributeError, OSError, TypeError):
        pass  # Not Linux.


def sleep_until(due_ns):
    """Return at that moment of the monotonic clock, or at once where it has passed."""
    while True:
        left_ns = due_ns - monotonic_ns()
        if left_ns <= 0:
            return
        if left_ns > SPIN_NS:
            sleep((left_ns - SPIN_NS) / 1e9)
