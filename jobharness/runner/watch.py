"""The seam: what looks at a run from outside while it goes on, as monitoring looks at production.

A watch is asked for its places before anything of the app is started (so that the app can be told, such as a DSN),
started with the servers, shown every event, and asked to look each few milliseconds. What it notices it hands over as
`Notice`s; the run records them, so that a watch needs no recorder and may notice in a thread of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from jobharness.history.event import Kind
from jobharness.history.follow import News
from jobharness.processes.site import Site

__all__ = ["AsksFirst", "Notice", "Watch"]


class Notice(NamedTuple):
    """An event that a watch noticed. `job`: the library's own id of the job that it is about; "": none."""

    kind: Kind
    value: int = 0
    text: str = ""
    group: str = ""
    task: str = ""
    job: str = ""


class Watch(Protocol):
    """One watch of one run. Called by one thread."""

    def places(self) -> Mapping[str, str]:
        """What it adds to the placeholders of a scenario, such as {"sentry.dsn": ...}. Nothing is started yet."""
        ...

    def start(self, site: Site, places: Mapping[str, str]) -> None:
        """Start it. `places`: all placeholders of the run. Raises: EnvironmentFailed; InvalidRequest where the scenario asks for
        what is not there."""
        ...

    def see(self, news: Sequence[News]) -> None:
        """Take in what was recorded."""
        ...

    def look(self) -> Iterable[Notice]:
        """What it noticed since the last look. Never blocks. Raises: ProcessFailed when it cannot see any more; Aborted where
        what it saw ends the run."""
        ...

    @property
    def waiting(self) -> bool:
        """Whether the run is to go on for it, once all else is done: an alarm may yet ring."""
        ...

    def finish(self) -> Iterable[Notice]:
        """The last look, after the drain and before the workers stop."""
        ...

    def stop(self) -> None:
        """End it. Safe to call twice, and before it was started."""
        ...


@runtime_checkable
class AsksFirst(Protocol):
    """A watch that looks at something which is there before the run."""

    def ask_first(self) -> None:
        """Before anything is started. Blocks for seconds at most. Raises: InvalidRequest where the run should not begin."""
        ...
