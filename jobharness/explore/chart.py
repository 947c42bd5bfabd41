"""The crash map as a value: the job's steps, and at each point what became of the job. It is kept as `crashmap.json`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from jobharness.errors import RunUnreadable
from jobharness.explore.outcome import GRAVEST_FIRST, Outcome, Word
from jobharness.explore.points import CONTROL, Act, Point
from jobharness.explore.steps import Aim, Step

__all__ = ["ALLOWED", "FILE", "SCHEMA", "CrashMap", "Tried", "allowed_by", "point_of"]

SCHEMA = 1
FILE = "crashmap.json"

ALLOWED: Mapping[str, frozenset[Word]] = {
    "at-least-once": frozenset((Word.ONCE, Word.TWICE, Word.ONCE_PENDING)),
    "exactly-once": frozenset((Word.ONCE,)),
    "at-most-once": frozenset((Word.ONCE, Word.LOST, Word.LATE)),
}
"""Which outcomes a promise of delivery allows."""


def allowed_by(delivery: str | None, allow: Sequence[str] | None) -> frozenset[Word]:
    """The outcomes that are right."""
    return frozenset(map(Word, allow)) if allow is not None else ALLOWED[delivery or "at-least-once"]


@dataclass(frozen=True)
class Tried:
    """A point, and the outcomes of its tries in order. `trials`: the numbers of their files; `second`: what struck recovery."""

    point: Point
    outcomes: tuple[Outcome, ...]
    trials: tuple[int, ...]
    second: Point | None = None

    @property
    def worst(self) -> Outcome:
        """The gravest of its outcomes, among equals the one that left the app's data wrong; one that could not tell counts only
        where no other did."""
        known = [one for one in self.outcomes if one.word is not Word.UNKNOWN] or list(self.outcomes)
        return min(known, key=lambda one: (GRAVEST_FIRST.index(one.word), not one.wrong))

    @property
    def wrong(self) -> dict[str, str]:
        """The invariants that any of its tries broke, each with what was found."""
        return {name: found for one in self.outcomes for name, found in one.wrong.items()}

    @property
    def telling(self) -> int:
        """The number of the trial that shows its worst outcome."""
        return next(n for n, one in zip(self.trials, self.outcomes, strict=True) if one is self.worst)

    @property
    def text(self) -> str:
        """Such as "lost", or "lost in 3 of 5" where tries differ."""
        words: Counter[Word] = Counter(one.word for one in self.outcomes if one.word is not Word.UNKNOWN)
        if len(words) <= 1:
            return self.worst.text
        return f"{self.worst.text} in {words[self.worst.word]} of {words.total()}"

    @property
    def name(self) -> str:
        """The point's name, with the second's where there is one."""
        return self.point.name + (f" + {self.second.name}" if self.second is not None else "")


@dataclass(frozen=True)
class CrashMap:
    """Everything a map says. `left_out`: names of points that the budget did not reach; `waits`: how long recovery may take and
    was waited for, in words, and `recovery` in figures; `firsts`: how long it took until each outcome was first seen, s; `about`:
    versions, pool, settings, seed, as `run.json` has them.
    """

    title: str
    task: str
    folder: Path
    steps: tuple[Step, ...]
    tried: tuple[Tried, ...]
    allowed: frozenset[Word]
    left_out: tuple[str, ...] = ()
    noise: tuple[str, ...] = ()
    idle: tuple[str, ...] = ()
    waits: tuple[str, ...] = ()
    children: bool = False
    took_s: float = 0.0
    firsts: Mapping[str, float] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)
    recovery: Mapping[str, Any] = field(default_factory=dict)

    @property
    def control(self) -> Tried | None:
        """The point at which nothing went wrong."""
        return next((tried for tried in self.tried if tried.point.kind == CONTROL), None)

    @property
    def broken(self) -> tuple[Tried, ...]:
        """The points with an outcome that is not right, or with a broken invariant, the gravest first."""
        found = [tried for tried in self.tried if not self.allows(tried) and tried.worst.word is not Word.UNKNOWN]
        return tuple(sorted(found, key=lambda tried: GRAVEST_FIRST.index(tried.worst.word)))

    def allows(self, tried: Tried) -> bool:
        """Whether all is right at the point: its outcome, and the app's data."""
        return tried.worst.word in self.allowed and not tried.wrong

    @property
    def untold(self) -> tuple[Tried, ...]:
        """The points of which no try could tell."""
        return tuple(tried for tried in self.tried if tried.worst.word is Word.UNKNOWN)

    @property
    def verdict(self) -> str:
        """`broken`, `unknown`, `vacuous` or `holds`, the first of these that is true."""
        if self.broken:
            return "broken"
        if all(tried.point.kind == CONTROL for tried in self.tried):
            return "vacuous"
        return "unknown" if self.untold or self.left_out else "holds"

    @property
    def counts(self) -> dict[Word, int]:
        """How many points have each outcome, the gravest first."""
        words = Counter(tried.worst.word for tried in self.tried)
        return {word: words[word] for word in GRAVEST_FIRST if words[word]}

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "schema": SCHEMA,
            "title": self.title,
            "task": self.task,
            "verdict": self.verdict,
            "counts": {str(word): count for word, count in self.counts.items()},
            "allowed": sorted(self.allowed),
            "steps": [asdict(step) for step in self.steps],
            "points": [_plain(tried) for tried in self.tried],
            "left_out": list(self.left_out),
            "noise": list(self.noise),
            "idle": list(self.idle),
            "waits": list(self.waits),
            "recovery": dict(self.recovery),
            "children": self.children,
            "took_s": round(self.took_s, 2),
            "firsts": {word: round(seconds, 2) for word, seconds in self.firsts.items()},
            "about": dict(self.about),
        }

    def save(self) -> None:
        """Keep it in its folder."""
        text = json.dumps(self.plain(), indent=1, ensure_ascii=False, default=str)
        (self.folder / FILE).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> CrashMap:
        """From a run's folder. Raises: RunUnreadable."""
        try:
            plain = json.loads((folder / FILE).read_text(encoding="utf-8"))
            return cls(
                title=plain["title"],
                task=plain["task"],
                folder=folder,
                steps=tuple(_step(one) for one in plain["steps"]),
                tried=tuple(_tried(one) for one in plain["points"]),
                allowed=frozenset(map(Word, plain["allowed"])),
                **{name: tuple(plain[name]) for name in ("left_out", "noise", "idle", "waits")},
                children=plain["children"],
                took_s=plain["took_s"],
                firsts=plain["firsts"],
                about=plain["about"],
                recovery=plain.get("recovery", {}),
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunUnreadable(str(folder / FILE), f"is no crash map that can be read ({error})") from error


def _plain(tried: Tried) -> dict[str, Any]:
    return {
        "name": tried.name,
        "outcome": tried.text,
        "wrong": tried.wrong,
        "point": asdict(tried.point),
        "second": asdict(tried.second) if tried.second is not None else None,
        "outcomes": [outcome.plain() for outcome in tried.outcomes],
        "trials": list(tried.trials),
    }


def point_of(plain: Mapping[str, Any]) -> Point:
    """A point from JSON."""
    return Point(**{**plain, "act": Act(**plain["act"])})


def _tried(plain: Mapping[str, Any]) -> Tried:
    second = point_of(plain["second"]) if plain["second"] else None
    outcomes: Iterable[Outcome] = (Outcome.of(one) for one in plain["outcomes"])
    return Tried(point_of(plain["point"]), tuple(outcomes), tuple(plain["trials"]), second)


def _step(plain: Mapping[str, Any]) -> Step:
    return Step(**{**plain, "first": _aim(plain["first"]), "last": _aim(plain["last"])})


def _aim(plain: Mapping[str, Any]) -> Aim:
    return Aim(**{**plain, "unlike": tuple(plain.get("unlike", ()))})
