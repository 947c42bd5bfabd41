"""Benchmarks print figures, each as a ratio within one run where it can be one, and `make bench` writes them down with their limits.

They are no tests of time: a figure over its limit is shown as such and fails nothing, since the machine may be busy with something else.
A benchmark that is run by itself replaces its own rows of the page and leaves the others, hence the date in each row.
"""

import ast
import os
import platform
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "figures.md"
INTRODUCTION = """# Figures

Written by `make bench`, row by row: a benchmark that is run by itself (`pytest tests/benchmarks/test_worker.py`) renews its own rows.
*kept* is `undecided` where a figure was measured with an interval (95 %, in brackets) that holds the limit.
"""
COLUMNS = "| what | measured | limit | kept | how | when |\n| --- | --- | --- | --- | --- | --- |"


@dataclass
class Figure:
    """One measured figure: what it is, what it may be, and how it was measured; `within`: the interval that it surely lies in."""

    name: str
    value: float
    limit: float
    unit: str
    how: str
    at_least: bool = False
    within: tuple[float, float] | None = None

    @property
    def kept(self):
        """Whether it is within its limit: "yes", "NO", or "undecided" where its interval holds the limit."""
        answers = {value >= self.limit if self.at_least else value <= self.limit for value in self.within or (self.value,)}
        return "undecided" if len(answers) > 1 else "yes" if answers.pop() else "NO"

    def row(self):
        """A row of the table."""
        bound = f"at {'least' if self.at_least else 'most'} {self.limit:g} {self.unit}"
        interval = f" ({self.within[0]:.3g} to {self.within[1]:.3g})" if self.within else ""
        when = f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}"
        cells = (self.name, f"{self.value:.3g}{interval} {self.unit}", bound, self.kept, self.how, when)
        return "| " + " | ".join(" ".join(cell.split()).replace("|", "/") for cell in cells) + " |"


FIGURES = pytest.StashKey()


def pytest_configure(config):
    config.stash[FIGURES] = []


@pytest.fixture
def figure(request):
    """Takes down one figure: `figure(name, value, limit, unit, how, at_least=False, within=None)`."""

    def take(*fields, **more):
        request.config.stash[FIGURES].append((heading(request.module.__doc__), Figure(*fields, **more)))

    return take


def pytest_terminal_summary(terminalreporter, config):
    figures = config.stash[FIGURES]
    if not figures:
        return
    terminalreporter.section("figures")
    for _, one in figures:
        terminalreporter.write_line(one.row())
    if os.environ.get("JOBHARNESS_FIGURES") == "keep":
        return
    rows = rows_of(PAGE.read_text(encoding="utf-8") if PAGE.exists() else "")
    for section, one in figures:
        rows.setdefault(section, {})[one.name] = one.row()
    known = headings()
    PAGE.write_text(page_of({section: rows[section] for section in rows if section in known}), encoding="utf-8")


def heading(docstring):
    """What a benchmark's figures stand under: its file's first sentence or two. It says what they are, so others are others."""
    return " ".join(docstring.split("\n\n")[0].split()).rstrip(".")


def headings():
    """Of every benchmark that there is."""
    modules = (ast.parse(file.read_text(encoding="utf-8")) for file in Path(__file__).parent.glob("test_*.py"))
    return {heading(ast.get_docstring(module)) for module in modules}


def rows_of(page):
    """`{section: {name of a figure: its row}}` of a page."""
    rows = {}
    for section, table in re.findall(r"^## (.+)\n((?:(?!## ).*\n?)*)", page, re.MULTILINE):
        lines = [line for line in table.splitlines() if line.startswith("| ") and line not in COLUMNS.splitlines()]
        rows[section] = {line[2:].partition(" | ")[0]: line for line in lines}
    return rows


def page_of(rows):
    """The page of such rows, sections in order."""
    sections = (f"## {section}\n\n{COLUMNS}\n" + "\n".join(rows[section].values()) + "\n" for section in sorted(rows))
    return "\n".join([INTRODUCTION, *sections])
