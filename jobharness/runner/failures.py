"""Looks whether the logs of the workers name the jobs that died, as somebody who is called at night would."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

__all__ = ["logged"]

LEVEL = re.compile(r"\b(TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL)\b")
LOUD = frozenset(("WARN", "WARNING", "ERROR", "CRITICAL", "FATAL", "ALERT", "EMERGENCY"))
LEVEL_FIELDS = ("level", "levelname", "severity", "log.level", "lvl")
LOUD_FROM = 30  # Of numbers: logging.WARNING, and what structlog and pino write for it or more.
# What a line without a level says that tells of a failure; one that merely names a job (received, succeeded) does not.
WORDS = "error|exception|fail|raised|traceback|critical|time ?limit|timed ?out|dead|lost|gave up|exhausted"
FAILURE = re.compile(WORDS, re.IGNORECASE)
TOKEN = re.compile(r"[0-9A-Za-z_-]{6,}")


def logged(logs: Path, dead: Mapping[str, bytes]) -> Iterator[tuple[bytes, str]]:
    """`(key, file:line)` of each dead job that a line of a worker's log, at warning or above, names; each job once.

    A line of JSON says its level in a field, a plain one by the first word that is a level; one that has none tells of a
    failure by what it says.

    Args: `dead`: the library's ids of the dead jobs, with their keys.
    """
    left = dict(dead)
    for path in sorted(logs.glob("worker-*.log")):
        with path.open(encoding="utf-8", errors="replace") as lines:
            for number, line in enumerate(lines, start=1):
                if not left:
                    return
                named = [token for token in TOKEN.findall(line) if token in left]
                if named and _is_loud(line):
                    for token in dict.fromkeys(named):
                        yield left.pop(token), f"{path.name}:{number}"


def _is_loud(line: str) -> bool:
    """Whether the line is at warning or above."""
    if line.lstrip().startswith("{"):
        try:
            entry = json.loads(line)
        except ValueError:
            entry = {}
        level = next((entry[name] for name in LEVEL_FIELDS if name in entry), None)
        if isinstance(level, int | float):
            return level >= LOUD_FROM
        if isinstance(level, str):
            return level.upper() in LOUD
    found = LEVEL.search(line)
    return found[1] in LOUD if found else bool(FAILURE.search(line))
