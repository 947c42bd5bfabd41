"""Where a run is, while it is: one moving line on a terminal, few plain lines anywhere else."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from jobharness.runner.progress import Status

__all__ = ["MovingLine", "PlainLines", "progress_on"]

PLAIN_EVERY_S = 5.0


def progress_on(console: Console) -> MovingLine | PlainLines:
    """What fits the console: something that moves on a terminal, plain lines where the output is a file or a pipe."""
    return MovingLine(console) if console.is_terminal else PlainLines(console)


class MovingLine:
    """Redraws the title and the status in place, and takes them away at the end. Use it as a context."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, transient=True, refresh_per_second=8)
        self._spinner = Spinner("dots")

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._live.stop()

    def show(self, status: Status) -> None:
        """Draw it."""
        self._spinner.update(text=Text(f" {status.title}"))
        self._live.update(Group(self._spinner, Text(f"  {status}", "cyan")))

    def say(self, words: str) -> None:
        """Print it above what moves."""
        self._live.console.print(Text(words), soft_wrap=True)


class PlainLines:
    """A line at the start of each phase, and one every five seconds within it. Use it as a context."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._title = ""
        self._phase = ""
        self._shown_s = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def show(self, status: Status) -> None:
        """Print it if it is time to."""
        if status.title != self._title or status.elapsed_s < self._shown_s:
            self._title, self._phase = status.title, ""
            self._line(status.title)
        if status.phase != self._phase or status.elapsed_s - self._shown_s >= PLAIN_EVERY_S:
            self._phase, self._shown_s = status.phase, status.elapsed_s
            self._line(f"  {status}")

    def say(self, words: str) -> None:
        """Print it."""
        self._line(words)

    def _line(self, words: str) -> None:
        self._console.print(Text(words), soft_wrap=True)
