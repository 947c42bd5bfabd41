"""One clock for a machine: monotonic int64 nanoseconds, comparable between processes.

On Linux `time.monotonic_ns` reads CLOCK_MONOTONIC, which all processes of a machine share, so
the records of a worker and of the harness can be put in one order. Wall time is only ever
used for names and for the header of a run.
"""

from __future__ import annotations

from datetime import UTC, datetime
from time import monotonic_ns

__all__ = ["NS_PER_S", "deadline_ns", "now_ns", "seconds_between", "utc_now"]

NS_PER_S = 1_000_000_000


def now_ns() -> int:
    """Now, in ns of the machine's monotonic clock."""
    return monotonic_ns()


def deadline_ns(timeout_s: float) -> int:
    """The moment `timeout_s` seconds from now, in ns."""
    return monotonic_ns() + round(timeout_s * NS_PER_S)


def seconds_between(start_ns: int, end_ns: int) -> float:
    """Seconds from `start_ns` to `end_ns`; negative when the end comes first."""
    return (end_ns - start_ns) / NS_PER_S


def utc_now() -> datetime:
    """The wall clock, for labels only; never compared with a monotonic time."""
    return datetime.now(UTC)
