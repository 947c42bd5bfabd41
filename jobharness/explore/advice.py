"""What single changes of settings come to: the map made again with each, beside the map without.

A point is known again in another map by its sentence: a change may add steps, and take others away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobharness.explore.chart import CrashMap, Tried
from jobharness.explore.outcome import Word
from jobharness.queues.queue import Advice
from jobharness.scenario.model import Scenario
from jobharness.scenario.workload import JobSpec

__all__ = ["Advised", "advised", "changed_by"]


@dataclass(frozen=True)
class Advised:
    """A change, and what it came to. `chart`: None where it could not be tried, and `why_not` says why; `jobs_per_s`: without a
    crash; None: not measured. `turned`: points that were wrong and are right now; `gone`: wrong ones that there are no more;
    `worse`: points that are wrong now only.
    """

    advice: Advice | None
    chart: CrashMap | None
    jobs_per_s: float | None = None
    turned: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    worse: tuple[str, ...] = ()
    why_not: str = ""

    @property
    def name(self) -> str:
        """What the change is called."""
        return self.advice.name if self.advice is not None else "as it is"

    @property
    def wrong(self) -> int:
        """How many points are wrong."""
        return len(self.chart.broken) if self.chart is not None else 0

    @property
    def duplicates(self) -> int:
        """At how many points the job is done again, or will be."""
        words = (Word.TWICE, Word.ONCE_PENDING)
        return sum(tried.worst.word in words for tried in self.chart.tried) if self.chart is not None else 0

    def plain(self) -> dict[str, Any]:
        """As JSON, with the whole map."""
        return {
            "change": self.name,
            "why_not": self.why_not,
            "turned": self.turned,
            "gone": self.gone,
            "worse": self.worse,
            "duplicates": self.duplicates,
            "jobs_per_s": self.jobs_per_s,
            "map": self.chart.plain() if self.chart is not None else None,
        }


def advised(advice: Advice, before: CrashMap, chart: CrashMap, jobs_per_s: float | None) -> Advised:
    """What became of each point that was wrong."""
    was, now = _by_place(before), _by_place(chart)
    wrong = [place for place, tried in was.items() if not before.allows(tried)]
    return Advised(
        advice,
        chart,
        jobs_per_s,
        turned=tuple(place for place in wrong if place in now and chart.allows(now[place])),
        gone=tuple(place for place in wrong if place not in now),
        worse=tuple(place for place, tried in now.items() if not chart.allows(tried) and place not in wrong),
    )


def _by_place(chart: CrashMap) -> Mapping[str, Tried]:
    return {tried.name.partition(" + ")[2] + tried.point.sentence(): tried for tried in chart.tried}


def changed_by(scenario: Scenario, advice: Advice) -> Scenario:
    """The scenario with the change laid over it; of settings that are tables, the other entries stay."""
    settings = dict(scenario.queue.settings)
    for name, value in advice.settings.items():
        own = settings.get(name)
        settings[name] = {**own, **value} if isinstance(own, Mapping) and isinstance(value, Mapping) else value
    jobs: Sequence[Mapping[str, object]] = [_with_options(job, advice.options) for job in scenario.workload.job]
    return scenario.with_(queue__settings=settings, workload__job=jobs)


def _with_options(job: JobSpec, options: Mapping[str, object]) -> Mapping[str, object]:
    """A kind of job, with options laid over its own, or over those of each job of its chain, group or chord."""
    plain = job.model_dump(exclude_unset=True, by_alias=True)
    if not job.links:
        return {**plain, "options": {**job.options, **options}}

    def laid(link: Mapping[str, Any]) -> Mapping[str, object]:
        return {**link, "options": {**link.get("options", {}), **options}}

    shapes = {name: [laid(link) for link in plain[name]] for name in ("chain", "group") if plain.get(name)}
    return {**plain, **shapes, **({"then": laid(plain["then"])} if plain.get("then") else {})}
