"""What items and the fixture share: a harness made from pytest's options, what is kept of its runs, and the tables at the end."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from jobharness.errors import JobharnessBug, JobharnessError
from jobharness.explore.chart import CrashMap
from jobharness.explore.lease_proof import LeaseProof
from jobharness.harness import Harness
from jobharness.pytest_plugin import RUNS
from jobharness.report.comparison import comparisons
from jobharness.report.crash_table import crash_report
from jobharness.report.digest import Digest, digest
from jobharness.report.lease_table import proof_report
from jobharness.report.summary import error_lines, markdown
from jobharness.report.terminal import WIDE, as_text, before_after_table, run_report, summary_table
from jobharness.runner.progress import Progress
from jobharness.runner.result import Result
from jobharness.scenario.model import Scenario

__all__ = [
    "SessionHarness",
    "annotated",
    "keep",
    "make_harness",
    "map_story",
    "proof_story",
    "properties",
    "reports_folder",
    "story",
    "summary",
    "write_markdown",
]


class SessionHarness:
    """A Harness whose runs also appear in pytest's summary. Paths are relative to pytest's root folder."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def run(self, scenario: Scenario | Path | str, **changes: Any) -> Result:
        """As `Harness.run`. With --jobharness-seed that seed is used, unless the call names one."""
        __tracebackhide__ = True
        seed = self._config.getoption("--jobharness-seed")
        if seed is not None:
            changes.setdefault("seed", seed)
        test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]
        repeat = f"pytest {shlex.quote(test)}" + (f" --jobharness-seed {seed}" if seed is not None else "")
        try:
            result = make_harness(self._config, None, repeat).run(scenario, **changes)
        except JobharnessBug:
            raise
        except JobharnessError as error:
            # Where in our code it was noticed helps nobody; the message says what to do.
            raise error.with_traceback(None) from None
        keep(self._config, result)
        return result


def make_harness(config: pytest.Config, progress: Progress | None, repeat: str) -> Harness:
    """One harness: apps are imported from pytest's root folder."""
    return Harness(config.rootpath, reports_folder(config), progress, repeat)


def reports_folder(config: pytest.Config) -> Path | None:
    """What --jobharness-reports says, relative to where pytest was called; None where it was not given."""
    given = config.getoption("--jobharness-reports")
    return None if given is None else Path(config.invocation_params.dir, given)


def keep(config: pytest.Config, result: Result) -> None:
    """Put the run's digest where the next report takes it from."""
    config.stash[RUNS].append(json.dumps(digest(result).plain(), default=str))


def properties(result: Result) -> list[tuple[str, object]]:
    """What JUnit XML gets."""
    about = [("verdict", str(result.verdict.word)), ("seed", result.scenario.seed), ("report", str(result.folder))]
    metrics = [(f"metric.{name}", metric.value) for name, metric in result.metrics.items() if metric.value is not None]
    return [(f"jobharness.{name}", value) for name, value in [*about, *metrics]]


def story(config: pytest.Config, result: Result) -> str:
    """The whole run as a failing test shows it."""
    return as_text(run_report(result), _width(config))


def map_story(config: pytest.Config, chart: CrashMap) -> str:
    """A whole crash map as a failing test shows it."""
    return as_text(crash_report(chart), _width(config))


def proof_story(config: pytest.Config, proof: LeaseProof) -> str:
    """A whole lease proof as a failing test shows it."""
    return as_text(proof_report(proof), _width(config))


def _width(config: pytest.Config) -> int:
    """Of the terminal; wide where the output is a file, and in a worker of xdist, which has none."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return int(reporter._tw.fullwidth) if reporter is not None and reporter.isatty else WIDE


def summary(texts: Iterable[str], config: pytest.Config, colour: bool) -> str:
    """The tables over the digests of all runs, given as JSON."""
    digests = _in_order(texts)
    parts = [summary_table(digests), *(before_after_table(comparison) for comparison in comparisons(digests))]
    return "\n\n".join(as_text(part, _width(config), colour) for part in parts)


def write_markdown(texts: Iterable[str], config: pytest.Config) -> None:
    """Add the runs to the file that --jobharness-markdown names, if it does. Raises: pytest.UsageError."""
    given = config.getoption("--jobharness-markdown")
    if given is None:
        return
    path = Path(config.invocation_params.dir, given)
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(markdown(_in_order(texts)))
    except OSError as error:
        raise pytest.UsageError(f"--jobharness-markdown {given}: {error.strerror}") from error


def annotated(texts: Iterable[str], config: pytest.Config) -> list[str]:
    """For GitHub: a line for each scenario that is red."""
    return list(error_lines(_in_order(texts), config.rootpath))


def _in_order(texts: Iterable[str]) -> list[Digest]:
    """Folders begin with the time of the run, so their names put the runs of all workers in order."""
    return sorted((Digest(**json.loads(text)) for text in texts), key=lambda one: one.folder)
