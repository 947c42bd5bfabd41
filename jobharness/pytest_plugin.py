"""The pytest plugin; inert until asked for by `--jobharness`."""

from __future__ import annotations

import pytest

__all__ = ["pytest_addoption"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the options; nothing of the tool is imported."""
    parser.addini("jobharness_scenarios", "folders of scenarios", type="args", default=["scenarios"])
