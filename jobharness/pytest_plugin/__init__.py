"""The pytest plugin: `pytest --jobharness` runs scenarios as tests, and the `harness` fixture runs them inside tests.

Every project that has jobharness installed loads this module in every run of pytest: it holds the hooks and nothing else, and
imports pytest and the standard library alone. What they do is in the files beside it, imported when a scenario is collected,
the fixture is asked for, or there is something to show.

    items.ScenarioItem -----.
    session.SessionHarness ----+-> Harness.run -> Result -> digest, as JSON, on the test's report (so it crosses pytest-xdist)
                                                                                    |
    session.summary <-- pytest_terminal_summary <-- the reports of all processes <--'
"""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

__all__ = [
    "COMPARING",
    "RUNS",
    "digests_of",
    "folders",
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
COMPARING = ("--jobharness-save", "--jobharness-compare", "--jobharness-compare-fail", "--jobharness-runs")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the options; nothing of the tool is imported."""
    group = parser.getgroup("jobharness", "what happens to background jobs when things go wrong")
    group.addoption(
        "--jobharness", action="store_true", help="run scenarios: every *.toml under the folders of `jobharness_scenarios`"
    )
    group.addoption("--jobharness-seed", type=int, metavar="N", help="instead of each scenario's own seed")
    group.addoption("--jobharness-reports", metavar="DIR", help="where run folders go (default: reports in the root folder)")
    group.addoption(
        "--jobharness-markdown", metavar="FILE", help="add the table of the runs to a file, as Markdown ($GITHUB_STEP_SUMMARY)"
    )
    group.addoption(
        "--jobharness-runs", type=int, default=1, metavar="N", help="run each scenario N times, with seeds that follow"
    )
    group.addoption("--jobharness-save", metavar="NAME", help="keep the runs under a name, to compare later ones with")
    group.addoption(
        "--jobharness-compare", nargs="?", const="", metavar="NAME",
        help="compare the runs with saved ones: a name, a run, a git ref; the newest saved ones if none is named",
    )  # fmt: skip
    group.addoption(
        "--jobharness-compare-fail", action="append", default=[], metavar="METRIC:SHARE",
        help="fail where a metric is surely worse than that, such as latency.p95:10%%",
    )  # fmt: skip
    parser.addini("jobharness_scenarios", "folders of scenarios", type="args", default=["scenarios"])


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker; with the flag, see to it that the scenarios are collected even where no argument names them."""
    config.addinivalue_line("markers", "jobharness: a scenario of jobharness, or a test that runs one.")
    config.stash[RUNS] = []
    if any(config.getoption(name) not in (None, [], 1) for name in COMPARING):
        from jobharness.pytest_plugin.baseline import Baseline

        config.pluginmanager.register(Baseline(config), "jobharness-baseline")
    if config.getoption("--jobharness") and config.args_source is not pytest.Config.ArgsSource.ARGS:
        given = [Path(config.invocation_params.dir, arg) for arg in config.args]
        for folder in folders(config):
            if folder.exists() and not any(folder.is_relative_to(path) for path in given):
                config.args.append(str(folder))


def folders(config: pytest.Config) -> list[Path]:
    """The folders of scenarios, beside the ini file that names them."""
    base = config.inipath.parent if config.inipath is not None else config.rootpath
    return [base / folder for folder in config.getini("jobharness_scenarios")]


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say where scenarios are looked for."""
    if not config.getoption("--jobharness"):
        return None
    seed = config.getoption("--jobharness-seed")
    missing = [str(folder) for folder in folders(config) if not folder.exists()]
    where = ", ".join(config.getini("jobharness_scenarios"))
    note = f" (there is no {', '.join(missing)})" if missing else ""
    return f"jobharness: scenarios in {where}{note}, seed {'of each scenario' if seed is None else seed}"


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """A TOML file under a folder of scenarios is one."""
    if file_path.suffix != ".toml" or file_path.name == "pyproject.toml" or not parent.config.getoption("--jobharness"):
        return None
    if not any(file_path.is_relative_to(folder) for folder in folders(parent.config)):
        return None
    from jobharness.pytest_plugin.items import ScenarioFile

    return ScenarioFile.from_parent(parent, path=file_path)


@pytest.fixture(scope="session")
def harness(request: pytest.FixtureRequest) -> Any:
    """Runs scenarios in a test: `result = harness.run("scenarios/worker_killed.toml", workers=4)`. See
    `jobharness.harness.Harness`."""
    from jobharness.pytest_plugin.session import SessionHarness

    return SessionHarness(request.config)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Put the digests of what ran meanwhile on the report: an attribute of JSON texts, which pytest-xdist carries over."""
    report = yield
    if waiting := item.config.stash[RUNS]:
        report.jobharness = list(waiting)
        waiting.clear()
    return report


def digests_of(terminalreporter: Any) -> list[str]:
    """The digests of all runs of the session, as JSON, whichever process ran them."""
    return [
        text for reports in terminalreporter.stats.values() for report in reports for text in getattr(report, "jobharness", ())
    ]


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """One table over everything that ran, then before and after where both did."""
    texts = digests_of(terminalreporter)
    if texts:
        from jobharness.pytest_plugin.session import annotated, summary, write_markdown

        terminalreporter.section("jobharness")
        terminalreporter.write_line(summary(texts, config, bool(terminalreporter.hasmarkup)))
        write_markdown(texts, config)
        if os.environ.get("GITHUB_ACTIONS") == "true":
            for line in annotated(texts, config):
                terminalreporter.write_line(line)
