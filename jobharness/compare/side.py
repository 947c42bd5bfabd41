"""One side of a comparison, as words: a git ref, changes of the scenario, versions of libraries, or several of them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from jobharness.errors import InvalidRequest

__all__ = ["HERE", "Side", "side"]

HERE = "."
"""The project as it lies there."""

_REQUIREMENT = re.compile(r"[A-Za-z0-9][\w.-]*(\[[\w,.-]+\])?\s*(==|~=|>=|<=|!=|<|>).+")
_CHANGE = re.compile(r"([a-z_]+(?:\.[\w-]+)+|seed)=(.*)", re.DOTALL)


@dataclass(frozen=True)
class Side:
    """`words`: as they were given; `ref`: a git ref, None for the project as it lies there; `changes`: laid over the
    scenario, as in `Scenario.with_`; `requirements`: library versions, for an environment of its own."""

    words: tuple[str, ...]
    ref: str | None = None
    changes: dict[str, Any] = field(default_factory=dict)
    requirements: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What people call it."""
        return ", ".join(word for word in self.words if word != HERE) or "this project"


def side(words: Sequence[str]) -> Side:
    """The side that the words name: `main`, `queue.workers=2`, `celery==5.4`, or `.` for the project as it is.

    Raises: InvalidRequest for two refs, or a word that is none of these.
    """
    refs: list[str] = []
    changes: dict[str, Any] = {}
    requirements: list[str] = []
    for word in words:
        if _REQUIREMENT.fullmatch(word):
            requirements.append(word)
        elif match := _CHANGE.fullmatch(word):
            changes[_path(match[1])] = _value(match[2])
        elif word != HERE:
            refs.append(word)
    if len(refs) > 1:
        raise InvalidRequest(f"a side is one git ref, and here are {len(refs)}: {', '.join(refs)}")
    if any(not ref or ref.startswith("-") or " " in ref for ref in refs):
        raise InvalidRequest(
            f"{refs[0]!r} is no side of a comparison; write a git ref (main), a change of the scenario (queue.workers=2), "
            "a version (celery==5.4), or . for the project as it is"
        )
    return Side(tuple(words), refs[0] if refs else None, changes, tuple(requirements))


def _path(dotted: str) -> str:
    return dotted.replace(".", "__")


def _value(text: str) -> Any:
    """As TOML has it: true, 3, "text", [1, 2]. Anything else is a text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
