"""Looks whether the logs of the workers name the jobs that died, as somebody who is called at night would."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

__all__ = ["logged"]

# What a line says that tells of a failure; a line that merely names a job (received, succeeded) does not.
WORDS = "error|exception|fail|raised|traceback|critical|time ?limit|timed ?out|dead|lost|gave up|exhausted"
FAILURE = re.compile(WORDS, re.IGNORECASE)
TOKEN = re.compile(r"[0-9A-Za-z_-]{6,}")


def logged(logs: Path, dead: Mapping[str, bytes]) -> Iterator[tuple[bytes, str]]:
    """`(key, file:line)` of each dead job that a line of a worker's log names as failed, each job once.

    Args: `dead`: the library's ids of the dead jobs, with their keys.
    """
    left = dict(dead)
    for path in sorted(logs.glob("worker-*.log")):
        with path.open(encoding="utf-8", errors="replace") as lines:
            for number, line in enumerate(lines, start=1):
                if not left:
                    return
                if FAILURE.search(line):
                    for token in TOKEN.findall(line):
                        if token in left:
                            yield left.pop(token), f"{path.name}:{number}"
