"""A scenario's file and its one test."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from _pytest._code.code import ReprEntryNative, ReprExceptionInfo, ReprFileLocation, ReprTraceback

from jobharness.errors import InvalidRequest, JobharnessBug, JobharnessError, message_of
from jobharness.scenario.load import load_scenario
from jobharness.scenario.model import Scenario

__all__ = ["CrashMapItem", "LeaseProofItem", "ScenarioFile", "ScenarioItem"]

GRAVEST_FIRST = (1, 3, 4, 0)


class ScenarioFile(pytest.File):
    """A scenario's file. It is read when it is collected, so that a mistake in it shows at once; nothing is started."""

    def collect(self) -> Iterable[pytest.Item]:
        """Its run, its crash map where it has the table [crashmap], and its lease proof where it has [lease]."""
        try:
            scenario = load_scenario(Path(os.path.relpath(self.path)))
        except InvalidRequest as error:
            raise self.CollectError(str(error)) from None
        name = f"{self.path.stem}[{scenario.queue.adapter}-{scenario.broker.kind}]"
        yield ScenarioItem.from_parent(self, name=name, scenario=scenario, gap=scenario.known_gap)
        if scenario.crashmap is not None:
            gap = scenario.crashmap.known_gap
            yield CrashMapItem.from_parent(self, name=f"crash map of {name}", scenario=scenario, gap=gap, keywords=("crashmap",))
        if scenario.lease is not None:
            gap = scenario.lease.known_gap
            yield LeaseProofItem.from_parent(
                self, name=f"lease proof of {name}", scenario=scenario, gap=gap, keywords=("leaseproof",)
            )


class _Item(pytest.Item):
    """What the tests of a scenario have in common: how they are found, how they fail, and where they stand.

    `gap`: why it is known to be broken, a strict expected failure; `keywords`: what `-k` finds it by, beside the scenario's tags.
    """

    def __init__(self, *, scenario: Scenario, gap: str | None, keywords: Sequence[str] = (), **rest: Any) -> None:
        super().__init__(**rest)
        self.scenario = scenario
        self.add_marker("jobharness")
        self.extra_keyword_matches.update((*scenario.tags, *keywords))
        if gap is not None:
            self.add_marker(pytest.mark.xfail(reason=gap, raises=_Broken, strict=True))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Our own words and no traceback: what failed is the jobs, not this code."""
        error = excinfo.value
        if isinstance(error, _Failure):
            return self._in_our_words(str(error))
        if isinstance(error, JobharnessError) and not isinstance(error, JobharnessBug):
            place, message = os.path.relpath(self.path), message_of(error)
            return self._in_our_words(message if place in message else f"{place}: {message}")
        from jobharness.pytest_plugin.session import reports_folder
        from jobharness.report.bug import bug_note

        return self._in_our_words(bug_note(error, reports_folder(self.config) or self.config.rootpath / "reports"))

    def _in_our_words(self, text: str) -> ReprExceptionInfo:
        """A failure's text in pytest's own form, so that its first line alone is the summary, in JUnit XML too."""
        headline, body = text.splitlines()[0], text + "\n"
        return ReprExceptionInfo(
            ReprTraceback([ReprEntryNative([body])], None, "native"), ReprFileLocation(str(self.path), 0, headline)
        )

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """The file, and the heading of a failure."""
        return self.path, None, f"{self.scenario.title} ({os.path.relpath(self.path)})"


class CrashMapItem(_Item):
    """The crash map of a scenario as a test: it fails where an outcome is not allowed, or could not be seen."""

    def runtest(self) -> None:
        """Make the map, and fail unless all of it is right."""
        from jobharness.pytest_plugin.session import make_harness, map_story

        seed = self.config.getoption("--jobharness-seed")
        changes = {} if seed is None else {"seed": seed}
        chart = make_harness(self.config, None, "").crash_map(self.path, **changes)
        self.user_properties += [("jobharness.crashmap", chart.verdict), ("jobharness.report", str(chart.folder))]
        if chart.verdict != "holds":
            raise (_Broken if chart.verdict == "broken" else _NoVerdict)(map_story(self.config, chart))


class LeaseProofItem(_Item):
    """The lease proof of a scenario as a test: it fails where something forbidden was found, or could not be told."""

    def runtest(self) -> None:
        """Make the proof, and fail unless nothing forbidden is in it."""
        from jobharness.pytest_plugin.session import make_harness, proof_story

        seed = self.config.getoption("--jobharness-seed")
        changes = {} if seed is None else {"seed": seed}
        proof = make_harness(self.config, None, "").prove_lease(self.path, **changes)
        self.user_properties += [("jobharness.leaseproof", proof.verdict), ("jobharness.report", str(proof.folder))]
        if proof.verdict != "holds":
            raise (_Broken if proof.verdict == "broken" else _NoVerdict)(proof_story(self.config, proof))


class ScenarioItem(_Item):
    """One scenario as a test. A known gap is a strict expected failure: only a broken contract counts as the failure expected."""

    def runtest(self) -> None:
        """Run it, leave what it came to in the report's properties, and fail unless it passed."""
        # The runner, and polars with it, is not needed to collect.
        from jobharness.pytest_plugin.live import LiveLine
        from jobharness.pytest_plugin.session import keep, make_harness, properties, story

        seed = self.config.getoption("--jobharness-seed")
        seed = self.scenario.seed if seed is None else seed
        results = []
        for one in range(seed, seed + self.config.getoption("--jobharness-runs")):
            repeat = f"pytest --jobharness {shlex.quote(os.path.relpath(self.path))} --jobharness-seed {one}"
            line = LiveLine(self)
            try:
                result = make_harness(self.config, line, repeat).run(self.path, seed=one)
            finally:
                line.clear()
            keep(self.config, result)
            results.append(result)
        # Of several runs the gravest is the test's.
        result = min(results, key=lambda result: GRAVEST_FIRST.index(result.exit_code))
        self.user_properties += properties(result)
        for note in result.notes:
            self.add_report_section("call", "jobharness", note)
        self._judge(result.exit_code, story(self.config, result))

    def _judge(self, code: int, text: str) -> None:
        kind = {1: _Broken, 3: _NoVerdict, 4: _GateCrossed}.get(code)
        if kind is not None:
            raise kind(text)
        if self.scenario.known_gap is not None and not self.config.getoption("runxfail"):
            raise _GapClosed(
                "the known gap is closed: everything that was promised held.\n"
                f"Take `known_gap` out of {os.path.relpath(self.path)}, so that it is noticed when it opens again.\n"
                f"It said: {self.scenario.known_gap}\n\n{text}"
            )


class _Failure(Exception):
    """Why a scenario's item is red. `str()` is the whole text."""


class _Broken(_Failure):
    """A contract is broken."""


class _NoVerdict(_Failure):
    """The run was vacuous, or could not see enough."""


class _GateCrossed(_Failure):
    """Every contract holds; a metric is beyond its limit."""


class _GapClosed(_Failure):
    """A known gap that is none any more."""
