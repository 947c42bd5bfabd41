"""Step faults for a queue in SQLite: there is no connection to stand in, so the agent strikes at the statements of its
own process.

The harness writes what is armed as files (see `jobharness.agent.statements`), which every process of the app reads.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jobharness.wire.match import Match

__all__ = ["STATEMENTS", "Statements"]

STATEMENTS = frozenset(
    """alter analyze attach begin commit create delete detach drop end explain insert pragma reindex release replace
    rollback savepoint select update vacuum values with""".split()  # noqa: SIM905  # for reading
)


class Statements:
    """What is armed at the statements to one database file. `folder` is made; `peer`: what it is called, where it is not the
    queue's. Not for two threads at once."""

    framing = "sqlite"

    def __init__(self, database: Path, folder: Path, peer: str = "") -> None:
        self.database, self.folder, self._peer = database, folder, peer
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def told(self) -> dict[str, str]:
        """What the agent is told of it."""
        return {"folder": str(self.folder), "database": str(self.database), "peer": self._peer}

    def arm(
        self,
        label: str,
        match: str | Mapping[str, Any],
        act: str,
        times: int | None = 1,
        by_s: float = 0.0,
        reset: bool = False,
    ) -> None:
        """Arm a step fault. A statement that is lost always fails: nobody could be silent here, so `reset` says nothing."""
        meant = Match.of(match)
        what = {
            "label": label,
            "file": _file(label),
            "act": act,
            "times": times,
            "by_s": by_s,
            "command": meant.command,
            "after": meant.after,
            "job": meant.job,
            "has": meant.has.decode(),
            "nth": meant.nth,
            "by": meant.by,
            "alike": meant.alike,
            "since": meant.since,
            "reply": meant.reply,
        }
        whole = self.folder / f"{_file(label)}.new"
        whole.write_text(json.dumps(what), encoding="utf-8")
        whole.rename(self.folder / f"{_file(label)}.armed")

    def disarm(self, label: str) -> None:
        """It strikes no more; what waits goes on. Safe to call twice."""
        (self.folder / f"{_file(label)}.armed").unlink(missing_ok=True)
        self.release(label, True)

    def transcribe(self, on: bool) -> None:
        """Record every statement as an event, or no longer."""
        flag = self.folder / "transcribe"
        flag.touch() if on else flag.unlink(missing_ok=True)

    def release(self, label: str, forward: bool, dead: Sequence[int] | None = None) -> None:
        """Let what waits go on; who is dead does not wait."""
        for claim in self.folder.glob(f"{_file(label)}.*"):
            if claim.suffix[1:].isdigit():
                claim.with_name(claim.name + ".go").touch()


def _file(label: str) -> str:
    return quote(label, safe="")
