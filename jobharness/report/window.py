"""The stretch of time that a page draws, and the bins it is cut into."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

import polars as pl

from jobharness.clock import NS_PER_S, seconds_between
from jobharness.history.event import Kind
from jobharness.history.frame import History

__all__ = ["Window", "window_of"]

FEWEST_BINS, MOST_BINS = 24, 200
JOBS_PER_BIN = 5
"""Fewer, and the lines show the luck of single arrivals."""
QUIET_SHARE = 0.15
"""A quiet end that takes more of the picture than this is told and not drawn."""

_MOVING = [int(kind) for kind in Kind if kind.name_.startswith(("job.", "enqueue.", "fault.")) and kind is not Kind.JOB_HELD]


@dataclass(frozen=True)
class Window:
    """From the first arrival (`origin_ns`) to the end of what is drawn (`end_ns`), in bins of `bin_ns`.

    `over_ns`: when the drain ended; later than `end_ns` where nothing moved in between.
    """

    origin_ns: int
    end_ns: int
    over_ns: int
    bin_ns: int

    @property
    def bins(self) -> int:
        """How many bins; the last one may reach past `end_ns`."""
        return max(1, -(-(self.end_ns - self.origin_ns) // self.bin_ns))

    @property
    def length_s(self) -> float:
        """Seconds that are drawn."""
        return seconds_between(self.origin_ns, self.end_ns)

    @property
    def quiet_s(self) -> float:
        """Seconds at the end in which nothing moved, and which are not drawn; 0 where all is drawn."""
        return seconds_between(self.end_ns, self.over_ns)

    def since_s(self, time_ns: int) -> float:
        """Seconds since the first arrival."""
        return seconds_between(self.origin_ns, time_ns)

    def share(self, time_ns: int) -> float:
        """Where a moment stands between the left edge (0) and the right one (1)."""
        return min(1.0, max(0.0, (time_ns - self.origin_ns) / max(1, self.end_ns - self.origin_ns)))

    def bin_of(self, column: str) -> pl.Expr:
        """The bin of a column of times, i64; outside the window too."""
        return (pl.col(column) - self.origin_ns) // self.bin_ns


def window_of(history: History) -> Window:
    """The window of a history: all of it where it is empty or has no job."""
    times = history.events["time_ns"]
    if not len(times):
        return Window(0, NS_PER_S, NS_PER_S, NS_PER_S // FEWEST_BINS)
    intended = history.lives["intended_ns"].min()
    origin_ns = _phase(history, "workload") or int(times[0])
    origin_ns = int(intended) if isinstance(intended, int) and intended > 0 else origin_ns
    over_ns = max(_phase(history, "stop") or int(times[-1]), origin_ns + 1)
    moving = history.events.lazy().filter(pl.col("kind").is_in(_MOVING) & (pl.col("time_ns") <= over_ns))
    last = moving.select(pl.col("time_ns").max()).collect().item()
    last_ns = max(origin_ns + 1, int(last) if last is not None else over_ns)
    last_ns += (last_ns - origin_ns) // 40
    end_ns = last_ns if (over_ns - last_ns) > QUIET_SHARE * (over_ns - origin_ns) else max(over_ns, last_ns)
    return Window(origin_ns, end_ns, max(over_ns, end_ns), _bin_ns(end_ns - origin_ns, history.lives.height))


def _phase(history: History, name: str) -> int | None:
    number = history.number_of(name)
    if number is None:
        return None
    begun: int | None = (
        history.of(Kind.RUN_PHASE).filter(pl.col("text") == number).select(pl.col("time_ns").min()).collect().item()
    )
    return begun


def _bin_ns(length_ns: int, jobs: int) -> int:
    """The narrowest round width (1, 2 or 5 times a power of ten) that makes neither too many bins nor too empty ones."""
    most = min(MOST_BINS, max(FEWEST_BINS, jobs // JOBS_PER_BIN))
    for power in count(3):
        for digit in (1, 2, 5):
            if length_ns <= most * digit * 10**power:
                return int(digit * 10**power)
    raise AssertionError("unreachable")
