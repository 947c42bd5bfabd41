"""`jobharness ab`: two versions of one thing, run in pairs, judged, and written down."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.text import Text

from jobharness.catalog import METRICS
from jobharness.cli.run import interrupted_by_sigterm
from jobharness.compare.ab import AUTO, Asked, run_ab
from jobharness.compare.side import side
from jobharness.errors import InvalidRequest, UnknownName
from jobharness.metrics.gate import Limit
from jobharness.report.keep_trial import keep_trial, write_text
from jobharness.report.live import progress_on
from jobharness.report.record import record
from jobharness.report.terminal import show
from jobharness.report.trial import Trial, plain
from jobharness.report.trial_report import trial_report
from jobharness.runner.masking import without_secrets
from jobharness.runner.progress import Silent
from jobharness.scenario.model import GateSpec
from jobharness.scenario.units import parse_duration

__all__ = ["Outlets", "Wish", "compare_sides", "conclude", "limits_of", "typed_command"]

FEWEST_RUNS = 2


@dataclass(frozen=True)
class Outlets:
    """Where the result goes besides the terminal: Markdown, JSON; None for nowhere."""

    markdown: Path | None = None
    json_file: Path | None = None

    def check(self) -> None:
        """Raises: InvalidRequest for a file that cannot be written."""
        for option, file in (("--markdown", self.markdown), ("--json", self.json_file)):
            if file is not None and not file.absolute().parent.is_dir():
                raise InvalidRequest(f"{option} {file}: there is no folder {file.parent}")


@dataclass(frozen=True)
class Wish:
    """The options of the command, as they were typed."""

    scenario: Path
    before: Sequence[str]
    after: Sequence[str]
    runs: str = AUTO
    budget: str = "10m"
    fail: Sequence[str] = ()
    reason: str = ""
    further: Sequence[str] = ()
    outlets: Outlets = field(default_factory=Outlets)


def compare_sides(wish: Wish, reports: Path | None) -> int:
    """Run both sides and print what came of it; returns the exit code. Raises: as `run_ab`."""
    if not wish.scenario.is_file():
        raise InvalidRequest(f"{wish.scenario}: there is no such scenario. `jobharness scenarios` lists those in ./scenarios")
    wish.outlets.check()
    asked = Asked(
        scenario=wish.scenario.absolute(),
        before=side(wish.before),
        after=side(wish.after),
        runs=_runs(wish.runs),
        budget_s=_budget(wish.budget),
        limits=limits_of(wish.fail),
        reason=wish.reason,
        further=tuple(wish.further),
        command=typed_command(),
    )
    errors = Console(stderr=True, highlight=False)
    # A line per phase of each run would bury the lines that say how far it is.
    with interrupted_by_sigterm(), progress_on(errors) if errors.is_terminal else nullcontext(Silent()) as progress:
        said = run_ab(
            asked,
            Path.cwd(),
            reports or Path("reports"),
            progress,
            lambda words: errors.print(Text(words, "dim"), soft_wrap=True),
        )
    keep_trial(said)
    return conclude(said, wish.outlets)


def conclude(said: Trial, outlets: Outlets) -> int:
    """Print a trial and write it where it was asked for; returns its exit code."""
    show(Console(highlight=False), trial_report(said))
    if outlets.markdown is not None:
        write_text(outlets.markdown, record(said))
    if outlets.json_file is not None:
        write_text(outlets.json_file, json.dumps(plain(said), indent=1, default=str, ensure_ascii=False) + "\n")
    return said.exit_code


def typed_command() -> str:
    """What was typed, secrets masked."""
    typed: str = without_secrets(
        shlex.join([Path(sys.argv[0]).name.removesuffix(".py").replace("main", "jobharness"), *sys.argv[1:]])
    )
    return typed


def limits_of(words: Sequence[str]) -> dict[str, Limit]:
    """The gate that `latency.p95:10%` asks for, by metric. Raises: InvalidRequest, UnknownName."""
    limits: dict[str, Limit] = {}
    for word in words:
        name, colon, share = word.rpartition(":")
        if not colon:
            raise InvalidRequest(f"{word!r} is no gate; write a metric and how much worse it may be, such as 'latency.p95:10%'")
        if name not in METRICS:
            raise UnknownName("metric", name, METRICS)
        try:
            limits[name] = GateSpec.model_validate({"regress": share})
        except ValueError:
            raise InvalidRequest(f"{word!r}: {share!r} is not a percentage, such as 10%") from None
    return limits


def _runs(text: str) -> int | None:
    if text == AUTO:
        return None
    if text.isdecimal() and int(text) >= FEWEST_RUNS:
        return int(text)
    raise InvalidRequest(f"--runs {text}: must be auto, or a number of pairs, at least {FEWEST_RUNS}")


def _budget(text: str) -> float:
    try:
        seconds: float = parse_duration(text)
    except ValueError as error:
        raise InvalidRequest(f"--budget: {error}") from None
    return seconds
