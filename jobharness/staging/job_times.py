"""What Locust's statistics say of jobs: their names, and how long each took until it started and until it was done.

All times count from the intended moment. A job that was given up is a failure of "charge done".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from jobharness.history.event import Kind
from jobharness.history.follow import News

__all__ = ["JOB", "MS_PER_NS", "JobTimes", "Timed", "short_name"]

JOB = "JOB"
"""Their type of request."""
TIMED = (Kind.JOB_RUNNING, Kind.JOB_FINISHED, Kind.JOB_DEAD)
MS_PER_NS = 1e-6


def short_name(job: Mapping[str, Any]) -> str:
    """What a job of a plan is called in the statistics: the last word of its task, or the path that takes it."""
    if "http" in job:
        path: str = "/" + str(job["http"]["url"]).partition("://")[2].partition("/")[2]
        return path
    links = job.get("links")
    return _last_word(links[0]["task"] if links else job["task"])


def _last_word(task: str) -> str:
    return task.rpartition(".")[2]


class Timed(NamedTuple):
    """One line for the statistics; `failure`: why the job was given up."""

    name: str
    took_ms: float
    failure: str = ""


class JobTimes:
    """Works out how long jobs took until they first started and until they were done. Memory grows with the jobs under way."""

    def __init__(self) -> None:
        self._intended_ns: dict[bytes, int] = {}
        self._started: set[bytes] = set()
        self._early: dict[bytes, list[News]] = {}  # Of jobs whose intended moment the sender has yet to tell.
        self._unclaimed: list[News] = []

    def see(self, news: Iterable[News]) -> Iterator[Timed]:
        """Take in what arrived since the last time.

        A worker's events may be read before those of the sender, whose file is another: what is said of an unknown job is kept
        until the next time. A service's own begin is not the intended moment, which its caller tells when it has the answer.
        """
        fresh, kept, self._unclaimed = list(news), self._unclaimed, []
        for one in fresh:
            if one.kind is Kind.ENQUEUE_BEGIN and one.role == "service":
                self._early.setdefault(one.key, [])
            elif one.kind in (Kind.ENQUEUE_BEGIN, Kind.ENQUEUE_INTENDED):
                self._intended_ns.setdefault(one.key, one.value)
                for early in self._early.pop(one.key, ()):
                    yield from self._timed(early)
        for one in (*kept, *fresh):
            if one.kind not in TIMED:
                continue
            if one.key in self._early:
                self._early[one.key].append(one)
            elif one.key in self._intended_ns:
                yield from self._timed(one)
        known = self._intended_ns.keys() | self._early.keys()
        self._unclaimed = [one for one in fresh if one.kind in TIMED and one.key not in known]

    def _timed(self, one: News) -> Iterator[Timed]:
        intended_ns = self._intended_ns.get(one.key)
        if intended_ns is None:
            return  # It was done before.
        took_ms, name = (one.time_ns - intended_ns) * MS_PER_NS, _last_word(one.task)
        if one.kind is Kind.JOB_RUNNING and one.key not in self._started:
            self._started.add(one.key)
            yield Timed(f"{name} started", took_ms)
        elif one.kind is not Kind.JOB_RUNNING:
            del self._intended_ns[one.key]  # What a second execution took is no news of this one.
            self._started.discard(one.key)
            failure = f"given up: {one.text}" if one.kind is Kind.JOB_DEAD else ""
            yield Timed(f"{name} done", took_ms, failure)
