"""Benchmarks print figures, each as a ratio within one run where it can be one, and `make bench` writes them down with their limits.

They are no tests of time: a figure over its limit is shown as such and fails nothing, since the machine may be busy with something else.
"""

import importlib.metadata
import os
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "figures.md"


@dataclass
class Figure:
    """One measured figure: what it is, what it may be, and how it was measured."""

    name: str
    value: float
    limit: float
    unit: str
    how: str
    at_least: bool = False

    @property
    def kept(self):
        """Whether it is within its limit."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def row(self):
        """A row of the table."""
        bound = f"at {'least' if self.at_least else 'most'} {self.limit:g} {self.unit}"
        return f"| {self.name} | {self.value:.3g} {self.unit} | {bound} | {'yes' if self.kept else 'NO'} | {self.how} |"


FIGURES = pytest.StashKey()


def pytest_configure(config):
    config.stash[FIGURES] = []


@pytest.fixture
def figure(request):
    """Takes down one figure: `figure(name, value, limit, unit, how, at_least=False)`."""

    def take(*fields, **more):
        request.config.stash[FIGURES].append(Figure(*fields, **more))

    return take


def pytest_terminal_summary(terminalreporter, config):
    figures = config.stash[FIGURES]
    if not figures:
        return
    page = _page(figures)
    terminalreporter.section("figures")
    terminalreporter.write_line(page)
    # Part of the figures would be a page that forgets the others.
    if config.getoption("keyword") or os.environ.get("JOBHARNESS_FIGURES") == "keep":
        return
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page, encoding="utf-8")


def _page(figures):
    packages = ("jobharness", "celery", "redis", "polars", "pytest")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
    rows = "\n".join(one.row() for one in figures)
    return f"""# Figures

Written by `make bench` on {datetime.now(UTC):%Y-%m-%d}; load average then {os.getloadavg()[0]:.1f}. Python {platform.python_version()} on
{platform.system()} {platform.machine()}, {os.cpu_count()} cores. {versions}.

| what | measured | limit | kept | how |
| --- | --- | --- | --- | --- |
{rows}
"""
