"""A side made ready to be run: its files, its scenario, its interpreter."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobharness.compare.checkout import checkout, state_of
from jobharness.compare.environment import environment, needs_of
from jobharness.compare.side import Side
from jobharness.errors import InvalidRequest
from jobharness.harness import Harness
from jobharness.report.digest import Digest, digest
from jobharness.runner.progress import Progress
from jobharness.runner.result import Result

__all__ = ["ReadySide", "make_ready"]


@dataclass(frozen=True)
class ReadySide:
    """`folder`: the project's files of this side; `commit`: None where they are the project as it lies there; `state`: both, for
    people; `changes`: laid over the scenario, the interpreter among them; `packages`: what its own environment was made with."""

    side: Side
    folder: Path
    commit: str | None
    state: str
    changes: dict[str, Any]
    packages: tuple[str, ...] = ()

    @property
    def told(self) -> str:
        """What it is run as and with, for people, where it cannot be run."""
        own = f" in an environment of its own, with {', '.join(self.packages)}; --with PACKAGE adds what it lacks"
        return f"{self.side.name}{own if self.packages else ''}"

    def run(self, scenario: Path, seed: int, reports: Path, progress: Progress) -> Digest:
        """One run, with its report. Raises: as `Harness.run`; InvalidRequest where the app came from elsewhere."""
        result = Harness(self.folder, reports, progress).run(scenario, **{**self.changes, "seed": seed})
        self._check_home(result)
        return digest(result)

    def check(self, scenario: Path) -> None:
        """What can be said without starting anything. Raises: InvalidRequest."""
        Harness(self.folder).check(scenario, **self.changes)

    def _check_home(self, result: Result) -> None:
        """An installed copy of the app would be run on both sides alike, and the comparison would find no difference."""
        app = result.about.get("app") or {}
        home = app.get("home")
        if self.commit is None or not home or not Path(home).is_absolute() or Path(home).is_relative_to(self.folder):
            return
        raise InvalidRequest(
            f"{self.side.name}: the app was imported from {home}, not from the files of that ref: it is installed in the app's "
            "environment. Let [queue] folder name the folder of its source, such as src, so that the source comes first"
        )


def make_ready(
    stack: ExitStack, project: Path, sides: Sequence[Side], python: str | None, further: Sequence[str]
) -> list[ReadySide]:
    """Check out and install what the sides name; the stack takes the checkouts away.

    Environments are made where a side names a version, and where the sides do not need the same packages; then for both, at
    the same time, so that they do not differ by more than they must. Args: `python`: the scenario's; `further`: requirements
    that both have.

    Raises: InvalidRequest; EnvironmentNotBuilt.
    """
    places = [stack.enter_context(checkout(project, side.ref)) if side.ref is not None else (project, None) for side in sides]
    needs = [needs_of(folder) for folder, _ in places]
    own = any(side.requirements for side in sides) or needs[0] != needs[1] or bool(further)
    ready = []
    for side, (folder, commit), needed in zip(sides, places, needs, strict=True):
        changes, wanted = dict(side.changes), list[str]()
        if own:
            wanted = [*side.requirements, *(further or needed)]
            changes["queue__python"] = str(environment(*wanted)) if wanted else changes.get("queue__python", python)
        elif python is not None and commit is not None:
            # Named from the project, where an environment lies; a checkout has none.
            changes.setdefault("queue__python", str((project / python).resolve()))
        ready.append(ReadySide(side, folder, commit, _state(side, folder, commit), changes, tuple(wanted)))
    return ready


def _state(side: Side, folder: Path, commit: str | None) -> str:
    if commit is not None:
        return f"{side.name} (commit {commit[:12]})"
    state = state_of(folder)
    words = f"{side.name}; " if side.name != "this project" else ""
    return words + (state.sentence if state is not None else "not under git")
