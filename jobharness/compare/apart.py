"""Runs that were not made in turns: whether they can be compared at all, and how much less that tells.

Between yesterday's runs and today's lies more than the change: another load, another clock speed, another machine. That does
not show in the spread of either side, so no number of runs makes it smaller, and every interval is widened by what it may be.
The floors are stated and not measured: what two machines differ by cannot be learned from runs on one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jobharness.compare.ab import check_limits
from jobharness.compare.checkout import changed_files, state_of
from jobharness.errors import InvalidRequest
from jobharness.metrics.differences import differences
from jobharness.metrics.gate import Limit
from jobharness.report.digest import Digest
from jobharness.report.trial import Notes, Trial, TrialSide, trial
from jobharness.report.words import count
from jobharness.scenario.model import GateSpec

__all__ = ["Floor", "compare_saved", "floor_of"]

SAME_DAY, OTHER_DAY, OTHER_MACHINE = 0.05, 0.10, 0.25
WORK = ("workload", "broker.kind", "upstream", "service")
"""Variables by which two runs did other work, or in another place, so that no figure of them can be compared."""
MOST_SHOWN = 6


@dataclass(frozen=True)
class Floor:
    """`share`: by which every interval is widened; `reason`: why, for people."""

    share: float
    reason: str


def floor_of(before: Sequence[Digest], after: Sequence[Digest]) -> Floor:
    """How far apart the runs were made."""
    if any(one.variables.get("machine") != before[0].variables.get("machine") for one in (*before, *after)):
        share, where = OTHER_MACHINE, "on different machines"
    elif {run.finished_at[:10] for run in before} != {run.finished_at[:10] for run in after}:
        share, where = OTHER_DAY, "on different days"
    else:
        share, where = SAME_DAY, "one side after the other"
    return Floor(
        share,
        f"The runs were made {where}, not in turns: the noise floor is wider, so each interval is {share:.0%} wider at its ends. "
        "`jobharness ab` runs both sides in turns and needs no such floor.",
    )


def compare_saved(
    names: tuple[str, str],
    before: Sequence[Digest],
    after: Sequence[Digest],
    limits: Mapping[str, Limit],
    project: Path,
    command: str,
    reason: str = "",
) -> Trial:
    """Judge runs that were made before. Each side holds runs of one scenario.

    `limits` stand beside the gate of the scenario as the newest run of the side after had it.

    Raises: InvalidRequest where the sides did not do the same work (what differs is said), or are too few for the gate.
    """
    _check_work(before[0], after[0])
    limits = {name: GateSpec.model_validate(limit) for name, limit in after[-1].gate.items()} | dict(limits)
    check_limits(limits, min(len(before), len(after)), paired=False)
    floor, last = floor_of(before, after), after[-1]
    commits = [run.variables.get("commit") for run in (before[0], after[0])]
    files = (
        changed_files(project, commits[0], commits[1]) if all(commits) and commits[0] != commits[1] and state_of(project) else ()
    )
    return trial(
        Notes(last.title, reason=reason, known_gap=last.known_gap, **last.notes),
        TrialSide(names[0], _state(before), before),
        TrialSide(names[1], _state(after), after),
        limits,
        paired=False,
        floor=floor.share,
        floor_reason=floor.reason + _on_both_sides(before, after),
        files=files,
        command=command,
    )


def _check_work(before: Digest, after: Digest) -> None:
    other = [one for one in differences(before.variables, after.variables) if one.name.startswith(WORK)]
    if other:
        shown = "; ".join(f"{one.name}: {one.before!r} and {one.after!r}" for one in other[:MOST_SHOWN])
        more = f"; and {len(other) - MOST_SHOWN} more" if len(other) > MOST_SHOWN else ""
        raise InvalidRequest(f"these runs did not do the same work, so they cannot be compared: {shown}{more}")


def _state(runs: Sequence[Digest]) -> str:
    commits = list(dict.fromkeys(str(run.variables.get("commit"))[:12] for run in runs if run.variables.get("commit")))
    of_what = f"commit {', '.join(commits)}" if commits else "not under git"
    return f"{count(len(runs), 'run')} of {of_what}, {runs[0].finished_at} to {runs[-1].finished_at}"


def _on_both_sides(before: Sequence[Digest], after: Sequence[Digest]) -> str:
    """What is said of runs that were found by both names."""
    shared = {Path(run.folder).name for run in before} & {Path(run.folder).name for run in after}
    return f" The sides have {count(len(shared), 'run')} in common, which hide what differs." if shared else ""
