"""Two sides of one scenario, run in pairs until the difference is known well enough, or the budget is spent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from jobharness.clock import deadline_ns, now_ns
from jobharness.compare.checkout import changed_files
from jobharness.compare.pairs import Pair, pairs
from jobharness.compare.ready import ReadySide, make_ready
from jobharness.compare.side import Side
from jobharness.errors import InvalidRequest, JobharnessError
from jobharness.metrics.gate import Limit
from jobharness.metrics.judgement import TOLERANCE, fewest, judge_metrics
from jobharness.metrics.metric import Metric
from jobharness.metrics.samples import COUNTS, WATCHED
from jobharness.report.digest import Digest
from jobharness.report.trial import Notes, Trial, TrialSide, trial
from jobharness.runner.folder import new_folder
from jobharness.runner.masking import without_secrets
from jobharness.runner.progress import Progress
from jobharness.scenario.load import load_scenario
from jobharness.scenario.model import Scenario

__all__ = ["AUTO", "Asked", "check_limits", "enough", "fewest_for", "run_ab"]

AUTO = "auto"
INTERRUPTED = "Interrupted"
EACH = 4
"""With `auto`: after so many further pairs it is looked at again."""
DECIDING = ("throughput", "latency.p95", "run_time.p50")
"""With `auto`, where no gate says what matters: what the pairs are made for."""


@dataclass(frozen=True)
class Asked:
    """What is to be compared, and how. `runs`: pairs, or None for auto; `budget_s`: after it no further pair is begun;
    `limits`: the gate beside the scenario's; `further`: requirements that both sides have; `command`: what was typed."""

    scenario: Path
    before: Side
    after: Side
    runs: int | None = None
    budget_s: float = 600.0
    limits: Mapping[str, Limit] | None = None
    reason: str = ""
    further: Sequence[str] = ()
    command: str = ""


def run_ab(asked: Asked, project: Path, reports: Path, progress: Progress, say: Callable[[str], None]) -> Trial:
    """Make the runs and judge them. Each has its own report under `runs/` of the folder of the trial.

    Interrupted, what was run until then is judged, and the trial says so. Blocks for minutes.

    Raises: InvalidRequest before anything is started; EnvironmentFailed when a side cannot be run.
    """
    scenario = load_scenario(asked.scenario)
    limits = {**scenario.gate, **(asked.limits or {})}
    check_limits(limits, asked.runs, paired=True)
    with ExitStack() as stack:
        sides = make_ready(stack, project, (asked.before, asked.after), scenario.queue.python, asked.further)
        for ready in sides:
            ready.check(asked.scenario)
        folder = new_folder(reports, f"ab {asked.scenario.stem}").path
        for place in ("records", "logs", "data", "mishaps"):
            (folder / place).rmdir()
        runs = folder / "runs"
        for ready in sides:
            say(f"warm-up: {ready.side.name}")
            _run(ready, asked.scenario, scenario.seed, folder / "warm-up", progress)
        made, stopped = _pairs(asked, scenario, sides, limits, runs, progress, say)
        if not made:
            raise KeyboardInterrupt
        files = changed_files(project, sides[0].commit, sides[1].commit)
        names = [
            without_secrets(word, scenario.report.mask)
            for word in (asked.before.name, asked.after.name, *(s.state for s in sides))
        ]
        return trial(
            Notes(scenario.title, scenario.owner, scenario.expected, scenario.rollback, asked.reason, scenario.known_gap or ""),
            TrialSide(names[0], names[2], [before for before, _ in made]),
            TrialSide(names[1], names[3], [after for _, after in made]),
            limits,
            paired=True,
            files=files,
            command=asked.command,
            folder=str(folder),
            warnings=[stopped] if stopped else [],
            interrupted=stopped.startswith(INTERRUPTED),
        )


def fewest_for(limits: Mapping[str, Limit], paired: bool) -> int:
    """The fewest pairs, or runs a side, with which a gate can be judged."""
    return fewest(len(dict.fromkeys([*limits, *COUNTS, *WATCHED])), paired)


def check_limits(limits: Mapping[str, Limit], runs: int | None, paired: bool) -> None:
    """Refuse a gate that so few runs could never judge. Raises: InvalidRequest."""
    needed = fewest_for(limits, paired)
    relative = [name for name, limit in limits.items() if limit.regress is not None]
    if relative and runs is not None and runs < needed:
        noun = "pairs" if paired else "runs a side"
        raise InvalidRequest(
            f"the gate on {', '.join(relative)} cannot be judged by {runs} {noun}: chance could always be the reason. "
            f"It takes {needed}"
        )


def _pairs(
    asked: Asked,
    scenario: Scenario,
    sides: Sequence[ReadySide],
    limits: Mapping[str, Limit],
    runs: Path,
    progress: Progress,
    say: Callable[[str], None],
) -> tuple[list[tuple[Digest, Digest]], str]:
    """The pairs that were run, and why no more of them were, where that is a reason to doubt."""
    made: list[tuple[Digest, Digest]] = []
    limit_ns = deadline_ns(asked.budget_s)
    most = f"of {asked.runs}" if asked.runs else "(as many as it takes)"
    try:
        for pair in pairs(scenario.seed):
            say(f"pair {pair.number} {most}")
            made.append(_pair(pair, asked, sides, runs, progress))
            if len(made) == asked.runs:
                return made, ""
            measured = [[run.measured for run in runs] for runs in zip(*made, strict=True)]
            if asked.runs is None and enough(measured[0], measured[1], limits):
                return made, ""
            if now_ns() > limit_ns:
                return made, f"The budget of {asked.budget_s:.0f} s was spent after {len(made)} pairs."
    except KeyboardInterrupt:
        return made, f"{INTERRUPTED} after {len(made)} pairs."
    raise AssertionError("pairs never end")


def _pair(pair: Pair, asked: Asked, sides: Sequence[ReadySide], runs: Path, progress: Progress) -> tuple[Digest, Digest]:
    first, second = sides if pair.before_first else (sides[1], sides[0])
    one, other = (_run(ready, asked.scenario, pair.seed, runs, progress) for ready in (first, second))
    return (one, other) if pair.before_first else (other, one)


def _run(ready: ReadySide, scenario: Path, seed: int, reports: Path, progress: Progress) -> Digest:
    try:
        return ready.run(scenario, seed, reports, progress)
    except JobharnessError as error:
        error.add_note(f"It was run as: {ready.told}")
        raise


def enough(before: Sequence[Mapping[str, Metric]], after: Sequence[Mapping[str, Metric]], limits: Mapping[str, Limit]) -> bool:
    """Whether so many pairs are enough: every interval that matters is narrower than its tolerance. It is looked at now and
    then, and only at the width: to stop when a difference shows would be to wait for chance."""
    if len(before) < fewest_for(limits, paired=True) or len(before) % EACH:
        return False
    tolerances = {name: limit.regress for name, limit in limits.items() if limit.regress is not None}
    wanted = tolerances or dict.fromkeys(DECIDING, TOLERANCE)
    left, right = ([{name: run[name] for name in wanted if name in run} for run in runs] for runs in (before, after))
    judged = judge_metrics(left, right, tolerances, paired=True)
    return all(one.width is not None and one.width <= one.tolerance for one in judged)
