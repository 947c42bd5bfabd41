"""The status of a run on pytest's own line."""

from __future__ import annotations

from typing import Any

import pytest

from jobharness.runner.progress import Status

__all__ = ["LiveLine"]


class LiveLine:
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
            self._draw(f"  {status}  {self._item.name}"[: self._reporter._tw.fullwidth - 1])

    def say(self, words: str) -> None:
        """Nothing: a test's own line has room for its status alone."""

    def clear(self) -> None:
        """Take it away, and put back what pytest had written."""
        if self._shown:
            self._draw("")
            with self._capture.global_and_fixture_disabled():
                # Pytest begins its line with a new one: one up, so that it stands where it stood.
                self._reporter._tw.write("\r\x1b[A")
                self._reporter.currentfspath = None
                self._reporter.pytest_runtest_logstart(self._item.nodeid, self._item.location)

    def _draw(self, words: str) -> None:
        with self._capture.global_and_fixture_disabled():
            self._reporter.rewrite(words, erase=True)
            self._reporter.flush()
