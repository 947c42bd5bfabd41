"""A trial: many runs of two versions, and what may be concluded from them.

    digests of the runs --> metrics.kept, .judgement, .gate --> Trial --> record (Markdown), terminal, comparison.json

`comparison.json` is for other programs, and for the page: a `Trial` as JSON. Within one schema number keys are added and
never renamed or removed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from jobharness.metrics.differences import Difference, differences
from jobharness.metrics.gate import Crossing, Limit, judge_gate_of_runs
from jobharness.metrics.judgement import Judgement, judge_metrics
from jobharness.metrics.kept import Kept, kept_promises
from jobharness.metrics.schedule import off_schedule
from jobharness.report.digest import Digest

__all__ = ["TRIAL_SCHEMA", "Notes", "Trial", "TrialSide", "causes", "plain", "trial"]

TRIAL_SCHEMA = 1
NEVER_A_CAUSE = ("seed",)


@dataclass(frozen=True)
class TrialSide:
    """One side. `name` as it was asked for; `state`: which files those were; `runs`: its runs, in the order of the pairs."""

    name: str
    state: str
    runs: Sequence[Digest]

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """Of each run, every metric by name."""
        return [run.measured for run in self.runs]

    @property
    def unusable(self) -> list[Digest]:
        """The runs without a verdict."""
        return [run for run in self.runs if run.verdict in ("unknown", "vacuous")]

    @property
    def off_schedule(self) -> list[Digest]:
        """The runs whose producer did not keep its schedule: what they measured is not the workload."""
        return [run for run in self.runs if off_schedule(run.measured)]

    def measurable(self, run: Digest) -> bool:
        """Whether the run's figures count."""
        return run not in self.unusable and run not in self.off_schedule


@dataclass(frozen=True)
class Notes:
    """What people say of the change: from the scenario, and from the command."""

    title: str
    owner: str = ""
    expected: str = ""
    rollback: str = ""
    reason: str = ""
    known_gap: str = ""


@dataclass(frozen=True)
class Trial:
    """`paired`: the runs of both sides belong together, and a coin decided which went first. `floor`: the share by which
    intervals were widened because they were not made together, and `floor_reason` why. `files`: `git diff --stat`. `folder`:
    where it is kept."""

    notes: Notes
    before: TrialSide
    after: TrialSide
    paired: bool
    floor: float
    floor_reason: str
    kept: Sequence[Kept]
    judgements: Sequence[Judgement]
    crossings: Sequence[Crossing]
    differences: Sequence[Difference]
    files: Sequence[str]
    command: str
    folder: str = ""
    warnings: Sequence[str] = field(default_factory=tuple)
    interrupted: bool = False

    @property
    def broken(self) -> list[Kept]:
        """The promises that a run after broke; where the scenario knows of a gap, those that were kept before."""
        allowed = ("newly broken",) if self.notes.known_gap else ("newly broken", "broken on both")
        return [one for one in self.kept if one.word in allowed]

    @property
    def worse(self) -> list[Judgement]:
        """The metrics that paid."""
        return [one for one in self.judgements if one.word == "worse"]

    @property
    def better(self) -> list[Judgement]:
        """The metrics that improved."""
        return [one for one in self.judgements if one.word == "better"]

    @property
    def exit_code(self) -> int:
        """0 passed, 1 a promise is broken after, 3 no verdict (a run could not tell, or a gate cannot be judged), 4 a gate was
        crossed, 130 interrupted before there were pairs enough."""
        if self.broken:
            return 1
        if self.interrupted:
            return 130
        words = {crossing.word for crossing in self.crossings}
        if self.before.unusable or self.after.unusable:
            return 3
        return 4 if "crossed" in words else 3 if "unknown" in words else 0

    @property
    def headline(self) -> str:
        """All of it in a sentence or two."""
        parts = []
        if self.interrupted:
            parts.append("Interrupted")
        if self.broken:
            parts.append(f"Broken after the change: {', '.join(one.promise for one in self.broken)}")
        if unusable := [*self.before.unusable, *self.after.unusable]:
            parts.append(f"No verdict in {len(unusable)} of {len(self.before.runs) + len(self.after.runs)} runs")
        crossed = {one.metric for one in self.crossings if one.word == "crossed"}
        unknown = [one.metric for one in self.crossings if one.word == "unknown"]
        if crossed:
            parts.append(f"The gate is crossed: {', '.join(sorted(crossed))}")
        if unknown:
            parts.append(f"The gate cannot be judged: {', '.join(unknown)}")
        for word, judged in (("Worse", self.worse), ("Better", self.better)):
            if judged:
                parts.append(f"{word}: {', '.join(f'{one.name} {one.difference}' for one in judged)}")
        if self.worse and not self.crossings and not self.exit_code:
            parts.append("No gate is set, so this fails nothing")
        mended = [one.promise for one in self.kept if one.word == "mended"]
        if mended:
            parts.append(f"Mended: {', '.join(mended)}")
        if not self.judgements:
            parts.append("No metric could be judged")
        elif not self.worse and not self.better:
            same = sum(one.word == "no difference" for one in self.judgements)
            parts.append(f"No metric is called better or worse ({same} of {len(self.judgements)} surely within the tolerance)")
        return ". ".join(parts) + "."


def trial(
    notes: Notes,
    before: TrialSide,
    after: TrialSide,
    limits: Mapping[str, Limit],
    *,
    paired: bool,
    floor: float = 0.0,
    floor_reason: str = "",
    files: Sequence[str] = (),
    command: str = "",
    folder: str = "",
    warnings: Sequence[str] = (),
    interrupted: bool = False,
) -> Trial:
    """Judge the runs of two sides; at least one a side. Pairs in which a run has no verdict are not measured by.

    Args: `limits`: the gate, by metric.
    """
    left, right = _usable(before, after, paired)
    tolerances = {name: limit.regress for name, limit in limits.items() if limit.regress is not None}
    judgements = judge_metrics(left, right, tolerances, paired, floor)
    found = tuple(differences(before.runs[0].variables, after.runs[0].variables))
    return Trial(
        notes=notes,
        before=before,
        after=after,
        paired=paired,
        floor=floor,
        floor_reason=floor_reason,
        kept=kept_promises([run.promises for run in before.runs], [run.promises for run in after.runs]),
        judgements=judgements,
        crossings=judge_gate_of_runs(right, judgements, limits),
        differences=found,
        files=tuple(files),
        command=command,
        folder=folder,
        warnings=(*_warnings(found, before, after, floor_reason), *warnings),
        interrupted=interrupted,
    )


def _usable(before: TrialSide, after: TrialSide, paired: bool) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    if not paired:
        left, right = ([run.measured for run in side.runs if side.measurable(run)] for side in (before, after))
        return left, right
    whole = [
        (one.measured, other.measured)
        for one, other in zip(before.runs, after.runs, strict=True)
        if before.measurable(one) and after.measurable(other)
    ]
    return [one for one, _ in whole], [other for _, other in whole]


def causes(found: Sequence[Difference]) -> list[str]:
    """What could be the cause: each variable that differs, the code as one."""
    return [one.name for one in found if one.name not in NEVER_A_CAUSE]


def _warnings(found: Sequence[Difference], before: TrialSide, after: TrialSide, floor_reason: str) -> list[str]:
    names, warnings = causes(found), []
    if len(names) > 1:
        shown = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
        warnings.append(f"{len(names)} things differ ({shown}), so none of them alone can be named as the cause.")
    if not names:
        warnings.append("Nothing differs between the sides: what differs in the runs is chance.")
    for side, word in ((before, "before"), (after, "after")):
        if side.unusable:
            first = side.unusable[0]
            warnings.append(
                f"{len(side.unusable)} of {len(side.runs)} runs {word} have no verdict and are not measured by ({first.verdict}: "
                f"{first.sentence.splitlines()[0]})."
            )
        if side.off_schedule:
            why = off_schedule(side.off_schedule[0].measured)
            warnings.append(f"{len(side.off_schedule)} of {len(side.runs)} runs {word} are not measured by: {why}.")
    if floor_reason:
        warnings.append(floor_reason)
    return warnings


def plain(one: Trial) -> dict[str, Any]:
    """As JSON: every field, with what follows from them."""
    return {
        "schema": TRIAL_SCHEMA,
        "exit_code": one.exit_code,
        "headline": one.headline,
        **asdict(one),
        "kept": [{**asdict(kept), "word": kept.word, "sentence": kept.sentence} for kept in one.kept],
    }
