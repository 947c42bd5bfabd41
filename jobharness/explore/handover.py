"""The one point that is known before the steps are: its worker dies when it was just handed the job.

A job's steps begin at the first reply that names it, whatever its library says before or after. So a worker can be struck there
while the rest is still learnt; and where a queue hands a job over for good, it is lost there.
"""

from __future__ import annotations

import polars as pl

from jobharness.explore.points import Act, Point
from jobharness.explore.steps import Aim
from jobharness.history.event import Kind
from jobharness.history.frame import History

__all__ = ["handover", "was_at"]


def handover() -> Point:
    """The point at the first reply that names the job, whatever that answers."""
    return _at("reply ", "the reply that hands over the job")


def was_at(point: Point, history: History) -> bool:
    """Whether a trial of the handover, of this history, was one of this point, which was learnt."""
    held = history.of(Kind.BROKER_STEP).filter(pl.col("job").is_not_null()).select("task").head(1).collect()["task"]
    return len(held) > 0 and _at(f"reply {history.text(held[0])}", point.label) == point


def _at(alike: str, label: str) -> Point:
    return Point(0, "after", "tree", label, Act("hold", Aim(alike, 1, is_reply=True, names_job=True).match()))
