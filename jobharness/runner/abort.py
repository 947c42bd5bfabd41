"""The abort switch of a run: a file, a signal, or a call, such as the stop button of a load test's web page.

Asking is all that happens here; the run looks at it each few milliseconds, heals what is broken, and ends.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from jobharness.clock import NS_PER_S, now_ns
from jobharness.errors import Aborted, InvalidRequest

__all__ = ["Abort"]

LOOK_EVERY_S = 0.05


class Abort:
    """One switch, for one run or for several that follow each other; once asked for, it stays so. Any thread may ask."""

    def __init__(self) -> None:
        self.by = ""
        """Who asked first, in words ("SIGTERM", "the web page"); "" while nobody has."""
        self.asked_ns = 0
        """When that was."""
        self.at_once = False
        """Whether a signal ends the main thread's waiting by an exception: while nothing is broken yet."""
        self._asking = threading.Lock()
        self._files: tuple[Path, ...] = ()
        self._looked_ns = 0

    def ask(self, by: str) -> None:
        """Abort the run. `by`: who asks, in words. Returns at once; a second time changes nothing."""
        with self._asking:
            if not self.by:
                self.asked_ns, self.by = now_ns(), by

    def watch(self, files: Sequence[Path]) -> None:
        """From now on the appearance of one of these files asks, too. Raises: InvalidRequest for one that is there already."""
        for file in files:
            if file.exists():
                raise InvalidRequest(f"abort.file: {file} is there already, as an earlier abort left it; remove it first")
        self._files = tuple(files)

    def check(self) -> None:
        """Raises: Aborted when somebody has asked."""
        if not self.by and now_ns() - self._looked_ns > LOOK_EVERY_S * NS_PER_S:
            self._looked_ns = now_ns()
            for file in self._files:
                if file.exists():
                    self.ask(_first_line(file) or f"the file {file}")
        if self.by:
            raise Aborted(self.by)

    @contextmanager
    def by_signals(self, *numbers: signal.Signals) -> Iterator[None]:
        """Meanwhile these signals ask. Elsewhere than in the main thread, where Python allows no handlers, they do not."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._on_signal) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        # No lock: the main thread may hold it just now.
        if not self.by:
            self.asked_ns, self.by = now_ns(), signal.Signals(number).name
        if self.at_once:
            raise Aborted(self.by)


def _first_line(file: Path) -> str:
    """Who put it there, if it says so."""
    try:
        return file.read_text(encoding="utf-8").partition("\n")[0].strip()
    except (OSError, ValueError):
        return ""
