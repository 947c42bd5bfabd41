"""A finished run in a few hundred plain values: what summaries and comparisons are made from, and what travels between processes.

A Result holds the whole History and stays in its process; a Digest is JSON and can come from another one (pytest-xdist).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from jobharness.metrics.before_after import Side
from jobharness.metrics.metric import Metric
from jobharness.report.account import about_of, read_json
from jobharness.report.data import metrics_json
from jobharness.report.variables import variables_of
from jobharness.runner.result import Result, story

__all__ = ["Digest", "digest", "digest_of"]
NOTES = ("owner", "expected", "rollback")
"""What a scenario says of the change that it is run for."""


@dataclass(frozen=True)
class Digest:
    """One run. `source` and `before`: whole paths of the scenario and of its counterpart, "" where there is none; `folder`: the
    run's; `promises`: each contract with its word; `gate`: the scenario's limits by metric."""

    title: str
    source: str
    before: str
    seed: int
    verdict: str
    sentence: str
    known_gap: str
    exit_code: int
    folder: str
    repeat: str
    story: Sequence[str]
    metrics: Mapping[str, Mapping[str, Any]]
    variables: Mapping[str, Any]
    promises: Mapping[str, str]
    finished_at: str
    notes: Mapping[str, str] = field(default_factory=dict)
    gate: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What a table calls it: the name of its file, or its title."""
        return Path(self.source).stem if self.source else self.title

    def metric(self, name: str) -> Metric:
        """A metric by name; one without a value where the run has none of that name."""
        plain = self.metrics.get(name)
        if plain is None:
            return Metric(name, None, "1", 0)
        return Metric.of(name, plain)

    @property
    def measured(self) -> dict[str, Metric]:
        """Every metric by name."""
        return {name: Metric.of(name, plain) for name, plain in self.metrics.items()}

    def side(self) -> Side:
        """This run as one side of a comparison."""
        return Side(self.name, self.measured, self.variables)

    def plain(self) -> dict[str, Any]:
        """As JSON; `Digest(**plain)` is the way back."""
        return asdict(self)


def digest(result: Result) -> Digest:
    """The digest of a finished run."""
    scenario, source = result.scenario, result.source
    before = (source.parent / scenario.before).resolve() if scenario.before and source is not None else ""
    return Digest(
        title=scenario.title,
        source=str(source.resolve()) if source is not None else "",
        before=str(before),
        seed=scenario.seed,
        verdict=str(result.verdict.word),
        sentence=gravest(result),
        known_gap=scenario.known_gap or "",
        exit_code=result.exit_code,
        folder=str(result.folder),
        repeat=result.repeat,
        story=_story(result),
        metrics=metrics_json(result),
        variables=variables_of(result.about),
        promises={finding.contract: str(finding.word) for finding in result.verdict.findings},
        finished_at=result.about.get("finished_at", ""),
        notes={name: getattr(scenario, name) for name in NOTES},
        gate={metric: limit.model_dump(exclude_none=True) for metric, limit in scenario.gate.items()},
    )


def digest_of(folder: Path) -> Digest:
    """The digest of a run from its folder, without its history and so without a story.

    Raises: RunUnreadable: the folder holds no run, or one of a newer version.
    """
    about, judged, metrics = about_of(folder), read_json(folder / "verdict.json"), read_json(folder / "metrics.json")
    scenario, findings = about["scenario"], judged["findings"]
    return Digest(
        title=scenario["title"],
        source=about.get("source") or "",
        before="",
        seed=about["seed"],
        verdict=judged["verdict"],
        sentence=findings[0]["sentence"] if findings else "nothing was promised",
        known_gap=scenario.get("known_gap") or "",
        exit_code=judged["exit_code"],
        folder=str(folder),
        repeat=judged["repeat"],
        story=(),
        metrics=metrics,
        variables=variables_of(about),
        promises={finding["contract"]: finding["word"] for finding in findings},
        finished_at=about["finished_at"],
        notes={name: scenario.get(name, "") for name in NOTES},
        gate=scenario.get("gate") or {},
    )


def gravest(result: Result) -> str:
    """The sentence behind the verdict: of the gravest finding, or of the gate where everything held and it did not pass."""
    stopped = [crossing.sentence for crossing in result.crossings if crossing.word != "passed"]
    if result.verdict.word.name == "HOLDS" and stopped:
        return stopped[0]
    return result.verdict.findings[0].sentence if result.verdict.findings else "nothing was promised"


def _story(result: Result) -> list[str]:
    for finding in result.verdict.findings:
        if finding.jobs:
            job, why = finding.jobs[0], finding.offenders.filter(finding.offenders["job"] == finding.jobs[0])["why"][0]
            return [str(why), *story(result.history, job)]
    return []
