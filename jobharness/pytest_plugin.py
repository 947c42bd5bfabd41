"""The pytest plugin: `pytest --jobharness` runs scenarios as tests, and the `harness` fixture runs them inside tests written by
hand.

Every project that has jobharness installed loads this module in every run of pytest, so it imports pytest and the standard
library alone; the tool is imported when a scenario is collected or the fixture is asked for.

    ScenarioFile --collect--> ScenarioItem --runtest--> Harness.run --> Result
                                                                          | digest, as JSON, on the test's report (so it crosses
                                                                          xdist)
    pytest_terminal_summary <-- every report's digests <------------------'
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _pytest._code.code import ReprEntryNative, ReprExceptionInfo, ReprFileLocation, ReprTraceback

if TYPE_CHECKING:
    from jobharness.harness import Harness
    from jobharness.report.digest import Digest
    from jobharness.runner.progress import Status
    from jobharness.runner.result import Result
    from jobharness.scenario.model import Scenario

__all__ = [
    "ScenarioFile",
    "ScenarioItem",
    "harness",
    "pytest_addoption",
    "pytest_collect_file",
    "pytest_configure",
    "pytest_report_header",
    "pytest_runtest_makereport",
    "pytest_terminal_summary",
]

RUNS = pytest.StashKey[list[str]]()
"""The digests of runs that no report carries yet, as JSON."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the options; nothing of the tool is imported."""
    group = parser.getgroup("jobharness", "what happens to background jobs when things go wrong")
    group.addoption(
        "--jobharness", action="store_true", help="run scenarios: every *.toml under the folders of `jobharness_scenarios`"
    )
    group.addoption("--jobharness-seed", type=int, metavar="N", help="instead of each scenario's own seed")
    group.addoption("--jobharness-reports", metavar="DIR", help="where run folders go (default: reports in the root folder)")
    parser.addini("jobharness_scenarios", "folders of scenarios", type="args", default=["scenarios"])


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker; with the flag, see to it that the scenarios are collected even where no argument names them."""
    config.addinivalue_line("markers", "jobharness: a scenario of jobharness, or a test that runs one.")
    config.stash[RUNS] = []
    if config.getoption("--jobharness") and config.args_source is not pytest.Config.ArgsSource.ARGS:
        given = [Path(config.invocation_params.dir, arg) for arg in config.args]
        for folder in _folders(config):
            if folder.exists() and not any(folder.is_relative_to(path) for path in given):
                config.args.append(str(folder))


def _folders(config: pytest.Config) -> list[Path]:
    base = config.inipath.parent if config.inipath is not None else config.rootpath
    return [base / folder for folder in config.getini("jobharness_scenarios")]


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say where scenarios are looked for."""
    if not config.getoption("--jobharness"):
        return None
    seed = config.getoption("--jobharness-seed")
    missing = [str(folder) for folder in _folders(config) if not folder.exists()]
    where = ", ".join(config.getini("jobharness_scenarios"))
    note = f" (there is no {', '.join(missing)})" if missing else ""
    return f"jobharness: scenarios in {where}{note}, seed {'of each scenario' if seed is None else seed}"


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> ScenarioFile | None:
    """A TOML file under a folder of scenarios is one."""
    if file_path.suffix != ".toml" or file_path.name == "pyproject.toml" or not parent.config.getoption("--jobharness"):
        return None
    if not any(file_path.is_relative_to(folder) for folder in _folders(parent.config)):
        return None
    return ScenarioFile.from_parent(parent, path=file_path)


class ScenarioFile(pytest.File):
    """A scenario's file. It is read when it is collected, so that a mistake in it shows at once; nothing is started."""

    def collect(self) -> Iterable[ScenarioItem]:
        """Its one item."""
        from jobharness.errors import InvalidRequest
        from jobharness.scenario.load import load_scenario

        try:
            scenario = load_scenario(Path(os.path.relpath(self.path)))
        except InvalidRequest as error:
            raise self.CollectError(str(error)) from None
        name = f"{self.path.stem}[{scenario.queue.adapter}-{scenario.broker.kind}]"
        yield ScenarioItem.from_parent(self, name=name, scenario=scenario)


class ScenarioItem(pytest.Item):
    """One scenario as a test. A known gap is a strict expected failure: only a broken contract counts as the failure expected."""

    def __init__(self, *, scenario: Scenario, **rest: Any) -> None:
        super().__init__(**rest)
        self.scenario = scenario
        self.add_marker("jobharness")
        self.extra_keyword_matches.update(scenario.tags)
        if scenario.known_gap is not None:
            self.add_marker(pytest.mark.xfail(reason=scenario.known_gap, raises=_Broken, strict=True))

    def runtest(self) -> None:
        """Run it, leave what it came to in the report's properties, and fail unless it passed."""
        seed = self.config.getoption("--jobharness-seed")
        seed = self.scenario.seed if seed is None else seed
        repeat = f"pytest --jobharness {shlex.quote(os.path.relpath(self.path))} --jobharness-seed {seed}"
        line = _LiveLine(self)
        try:
            result = _make_harness(self.config, line, repeat).run(self.path, seed=seed)
        finally:
            line.clear()
        _keep(self.config, result)
        self.user_properties += _properties(result)
        self._judge(result)

    def _judge(self, result: Result) -> None:
        kind = {1: _Broken, 3: _NoVerdict, 4: _GateCrossed}.get(result.exit_code)
        if kind is not None:
            raise kind(_story(self.config, result))
        if self.scenario.known_gap is not None and not self.config.getoption("runxfail"):
            raise _GapClosed(
                "the known gap is closed: everything that was promised held.\n"
                f"Take `known_gap` out of {os.path.relpath(self.path)}, so that it is noticed when it opens again.\n"
                f"It said: {self.scenario.known_gap}\n\n{_story(self.config, result)}"
            )

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Our own words and no traceback: what failed is the jobs, not this code."""
        from jobharness.errors import JobharnessBug, JobharnessError, message_of

        error = excinfo.value
        if isinstance(error, _Failure):
            return self._in_our_words(str(error))
        if isinstance(error, JobharnessError) and not isinstance(error, JobharnessBug):
            return self._in_our_words(message_of(error))
        from jobharness.report.bug import bug_note

        return self._in_our_words(bug_note(error, _reports(self.config) or self.config.rootpath / "reports"))

    def _in_our_words(self, text: str) -> ReprExceptionInfo:
        """A failure's text in pytest's own form, so that its first line alone is the summary, in JUnit XML too."""
        headline, body = text.splitlines()[0], text + "\n"
        return ReprExceptionInfo(
            ReprTraceback([ReprEntryNative([body])], None, "native"), ReprFileLocation(str(self.path), 0, headline)
        )

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """The file, and the title as the heading of a failure."""
        return self.path, None, self.scenario.title


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


@pytest.fixture(scope="session")
def harness(request: pytest.FixtureRequest) -> Any:
    """Runs scenarios in a test: `result = harness.run("scenarios/worker_killed.toml", workers=4)`. See
    `jobharness.harness.Harness`."""
    return _FixtureHarness(request.config)


class _FixtureHarness:
    """A Harness whose runs also appear in pytest's summary. Paths are relative to pytest's root folder."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def run(self, scenario: Scenario | Path | str, **changes: Any) -> Result:
        """As `Harness.run`. With --jobharness-seed that seed is used, unless the call names one."""
        __tracebackhide__ = True
        from jobharness.errors import JobharnessBug, JobharnessError

        seed = self._config.getoption("--jobharness-seed")
        if seed is not None:
            changes.setdefault("seed", seed)
        test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]
        repeat = f"pytest {shlex.quote(test)}" + (f" --jobharness-seed {seed}" if seed is not None else "")
        try:
            result = _make_harness(self._config, None, repeat).run(scenario, **changes)
        except JobharnessBug:
            raise
        except JobharnessError as error:
            # Where in our code it was noticed helps nobody; the message says what to do.
            raise error.with_traceback(None) from None
        _keep(self._config, result)
        return result


def _make_harness(config: pytest.Config, line: _LiveLine | None, repeat: str) -> Harness:
    from jobharness.harness import Harness

    return Harness(config.rootpath, _reports(config), line, repeat)


def _reports(config: pytest.Config) -> Path | None:
    given = config.getoption("--jobharness-reports")
    return None if given is None else Path(config.invocation_params.dir, given)


def _keep(config: pytest.Config, result: Result) -> None:
    from jobharness.report.digest import digest

    config.stash[RUNS].append(json.dumps(digest(result).plain(), default=str))


def _properties(result: Result) -> list[tuple[str, object]]:
    """What JUnit XML gets."""
    about = [("verdict", str(result.verdict.word)), ("seed", result.scenario.seed), ("report", str(result.folder))]
    metrics = [(f"metric.{name}", metric.value) for name, metric in result.metrics.items() if metric.value is not None]
    return [(f"jobharness.{name}", value) for name, value in [*about, *metrics]]


def _story(config: pytest.Config, result: Result) -> str:
    from jobharness.report.terminal import as_text, run_report

    return as_text(run_report(result), _width(config))


def _width(config: pytest.Config) -> int:
    """Of the terminal; wide where the output is a file, and in a worker of xdist, which has none."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return int(reporter._tw.fullwidth) if reporter is not None and reporter.isatty else 120


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Put the digests of what ran meanwhile on the report: an attribute of JSON texts, which pytest-xdist carries over."""
    report = yield
    if waiting := item.config.stash[RUNS]:
        report.jobharness = list(waiting)
        waiting.clear()
    return report


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """One table over everything that ran, then before and after where both did."""
    texts = [
        text for reports in terminalreporter.stats.values() for report in reports for text in getattr(report, "jobharness", ())
    ]
    if not texts:
        return
    from jobharness.report.comparison import comparisons
    from jobharness.report.digest import Digest
    from jobharness.report.terminal import as_text, before_after_table, summary_table

    # Folders begin with the time of the run, so their names put the runs of all workers in order.
    digests: list[Digest] = sorted((Digest(**json.loads(text)) for text in texts), key=lambda one: one.folder)
    colour, width = bool(terminalreporter.hasmarkup), _width(config)
    terminalreporter.section("jobharness")
    terminalreporter.write_line(as_text(summary_table(digests), width, colour))
    for comparison in comparisons(digests):
        terminalreporter.write_line("")
        terminalreporter.write_line(as_text(before_after_table(comparison), width, colour))


class _LiveLine:
    """The status of a run on pytest's own line, where that is a terminal; nothing anywhere else."""

    def __init__(self, item: pytest.Item) -> None:
        manager = item.config.pluginmanager
        self._item = item
        self._reporter: Any = manager.get_plugin("terminalreporter")
        self._capture: Any = manager.get_plugin("capturemanager")
        self._moves = self._reporter is not None and self._capture is not None and self._reporter.isatty
        self._shown = False

    def show(self, status: Status) -> None:
        """Draw it over the line."""
        if self._moves:
            self._shown = True
            self._draw(f"{self._item.name}: {status}"[: self._reporter._tw.fullwidth - 1])

    def clear(self) -> None:
        """Take it away, and put back what pytest had written."""
        if self._shown:
            self._draw("")
            with self._capture.global_and_fixture_disabled():
                self._reporter._tw.write("\r")
                self._reporter.currentfspath = None
                self._reporter.pytest_runtest_logstart(self._item.nodeid, self._item.location)

    def _draw(self, words: str) -> None:
        with self._capture.global_and_fixture_disabled():
            self._reporter.rewrite(words, erase=True)
            self._reporter.flush()
