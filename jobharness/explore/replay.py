"""Repeats one trial of a map, against the app as it is now, and says what became of the point."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from jobharness.errors import RunUnreadable
from jobharness.explore.chart import point_of
from jobharness.explore.crash_map import Explorer
from jobharness.explore.outcome import Outcome, Word
from jobharness.explore.points import Point
from jobharness.explore.trial import Patience, attempt
from jobharness.processes.guardian import Guardian

__all__ = ["Kept", "Now", "Replayed", "Replayer"]


class Now(StrEnum):
    """What became of a point."""

    STILL_BROKEN = "still broken"
    FIXED = "fixed"
    NOT_REPRODUCED = "not reproduced"
    STILL_RIGHT = "still right"


@dataclass(frozen=True)
class Kept:
    """A trial as a map kept it: what it needs to be tried again, and what came of it."""

    point: Point
    second: Point | None
    patience: Patience
    task: str
    outcome: Outcome
    folder: Path

    @classmethod
    def load(cls, path: Path) -> Kept:
        """From trials/<k>.json. Raises: RunUnreadable."""
        try:
            plain: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return cls(
                point=point_of(plain["point"]),
                second=point_of(plain["second"]) if plain["second"] else None,
                patience=Patience(**plain["patience"]),
                task=plain["task"],
                outcome=Outcome.of(plain["outcome"]),
                folder=path.resolve().parents[1],
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunUnreadable(str(path), f"is no trial of a crash map ({error})") from error


@dataclass(frozen=True)
class Replayed:
    """What a replay came to. `changed`: what is no more as it was when the map was made."""

    kept: Kept
    now: Now
    outcomes: tuple[Outcome, ...]
    changed: tuple[str, ...]
    folder: Path


class Replayer:
    """Repeats trials. Args: an `explorer` of the scenario as it is now, in a new folder."""

    def __init__(self, explorer: Explorer) -> None:
        self._explorer = explorer

    def replay(self, kept: Kept, before: Mapping[str, Any], allowed: frozenset[Word], tries: int = 3) -> Replayed:
        """Try the point until it is wrong again, `tries` times at most. `before`: what the map says of versions and settings.

        Raises: InvalidRequest, EnvironmentFailed.
        """
        explorer, outcomes = self._explorer, []
        with ExitStack() as stack:
            stack.enter_context(Guardian(explorer.folder.run_id))
            setting = explorer.prepare(stack)
            for number in range(1, tries + 1):
                history = attempt(setting, explorer.trials / str(number), kept.point, kept.patience, kept.second)
                outcomes.append(explorer.judge(history))
                if _as_wrong(outcomes[-1], kept.outcome, allowed):
                    break
        changed = tuple(_changes(before, explorer.account()))
        return Replayed(kept, _now(kept, outcomes, allowed, bool(changed)), tuple(outcomes), changed, explorer.folder.path)


def _as_wrong(now: Outcome, before: Outcome, allowed: frozenset[Word]) -> bool:
    """Whether it is as wrong as it was, so that no further try is needed."""
    return now.word is before.word and (now.word not in allowed or bool(before.wrong.keys() & now.wrong.keys()))


def _now(kept: Kept, outcomes: list[Outcome], allowed: frozenset[Word], changed: bool) -> Now:
    """A point that nothing was done about and that is not wrong now is not fixed: it did not show itself."""
    known = [one.word for one in outcomes if one.word is not Word.UNKNOWN]
    if any(word not in allowed for word in known) or any(one.wrong for one in outcomes):
        return Now.STILL_BROKEN
    if not known or len(known) < len(outcomes):
        return Now.NOT_REPRODUCED
    if kept.outcome.word in allowed and not kept.outcome.wrong:
        return Now.STILL_RIGHT
    return Now.FIXED if changed else Now.NOT_REPRODUCED


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What differs between two accounts, of what can make a difference: ports and folders cannot."""
    names = ("scenario", "app", "versions", "code")
    return [name for name in names if _lasting(before.get(name)) != _lasting(after.get(name))]


def _lasting(value: Any) -> Any:
    """A value as JSON has it, without the addresses of one run."""
    if isinstance(value, Mapping):
        return {name: _lasting(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_lasting(inner) for inner in value]
    return "" if isinstance(value, str) and ("127.0.0.1" in value or "/reports/" in value or "/data/" in value) else value
