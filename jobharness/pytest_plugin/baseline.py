"""Runs of this session kept for later ones, and compared with earlier ones: the options that begin with --jobharness-save and
--jobharness-compare."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from jobharness.catalog import METRICS
from jobharness.compare.ab import fewest_for
from jobharness.compare.apart import compare_saved
from jobharness.compare.saved import SavedRuns, find, save
from jobharness.errors import InvalidRequest, JobharnessError, UnknownName, message_of
from jobharness.metrics.gate import Limit
from jobharness.pytest_plugin import digests_of
from jobharness.pytest_plugin.session import reports_folder
from jobharness.report.digest import Digest
from jobharness.report.terminal import WIDE, as_text
from jobharness.report.trial import Trial
from jobharness.report.trial_report import trial_report
from jobharness.scenario.model import GateSpec

__all__ = ["Baseline"]


class Baseline:
    """A plugin of the session. What cannot be done is refused before anything is run.

    Raises: pytest.UsageError.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._reports: Path = reports_folder(config) or config.rootpath / "reports"
        self._lines: list[str] = []
        if config.getoption("--jobharness-runs") < 1:
            raise pytest.UsageError("--jobharness-runs must be at least 1")
        try:
            self._limits = _limits(config.getoption("--jobharness-compare-fail"))
            self._before = self._find(config.getoption("--jobharness-compare"))
        except JobharnessError as error:
            raise pytest.UsageError(message_of(error)) from None

    def _find(self, wanted: str | None) -> SavedRuns | None:
        if wanted is None and not self._limits:
            return None
        found = find(self._reports, wanted or None, self._config.rootpath)
        needed, runs = fewest_for(self._limits, paired=False), self._config.getoption("--jobharness-runs")
        fewest = min(runs, *(len(found.of(source)) for source in found.sources))
        if self._limits and fewest < needed:
            raise InvalidRequest(
                f"--jobharness-compare-fail takes {needed} runs of each scenario on either side, and here are {fewest} "
                f"({found.name}, and --jobharness-runs {runs}): chance could always be the reason. Save and compare with "
                f"--jobharness-runs {needed}"
            )
        return found

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Keep and compare; a gate that is not passed fails the session. Once, in the process that sees all runs."""
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is None or hasattr(session.config, "workerinput"):
            return
        runs = sorted((Digest(**json.loads(text)) for text in digests_of(reporter)), key=lambda one: one.folder)
        try:
            trials = list(self._trials(runs))
            self._save(runs)
        except JobharnessError as error:
            self._lines.append(f"error: {message_of(error)}")
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
            return
        for one in trials:
            self._lines += [as_text(trial_report(one), WIDE), ""]
            if any(crossing.word != "passed" for crossing in one.crossings):
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _trials(self, runs: list[Digest]) -> Iterator[Trial]:
        if self._before is None:
            return
        command = " ".join(["pytest", *self._config.invocation_params.args])
        shared = [source for source in dict.fromkeys(run.source for run in runs) if self._before.of(source)]
        if not shared:
            known = ", ".join(self._before.sources)
            raise InvalidRequest(f"nothing that was run is in {self._before.name}, so nothing was compared. It has: {known}")
        for source in shared:
            now = [run for run in runs if run.source == source]
            names = (self._before.name, "this session")
            yield compare_saved(names, self._before.of(source), now, self._limits, self._config.rootpath, command)

    def _save(self, runs: list[Digest]) -> None:
        name = self._config.getoption("--jobharness-save")
        if name is None:
            return
        if not runs:
            raise InvalidRequest(f"nothing was run, so nothing was saved as {name}")
        path = save(self._reports, name, runs)
        shown: Any = path
        with suppress(ValueError):
            shown = path.relative_to(self._config.invocation_params.dir)
        self._lines.append(f"{len(runs)} runs saved as {name}: {shown}")

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """What came of it."""
        if self._lines:
            terminalreporter.section("jobharness: compared")
            terminalreporter.write_line("\n".join(self._lines))


def _limits(words: list[str]) -> Mapping[str, Limit]:
    limits: dict[str, Limit] = {}
    for word in words:
        name, colon, share = word.rpartition(":")
        if colon and name not in METRICS:
            raise UnknownName("metric", name, METRICS)
        try:
            limits[name] = GateSpec.model_validate({"regress": share})
        except ValueError:
            raise InvalidRequest(
                f"--jobharness-compare-fail {word!r}: write a metric and a share, such as latency.p95:10%"
            ) from None
    return limits
