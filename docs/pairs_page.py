"""A page with a table of every pair of queue and broker, written a line at a time: what is not made anew keeps its line, and has
a dash where a column is new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["PairsPage"]

KEYS = ("queue", "broker", "settings")
"""The columns that tell lines apart, each by its first word: versions follow it."""


class PairsPage:
    """One page. `path`: its file; `head`: what stands above the table; `columns`: of the table, "queue" and "broker" among them;
    `pairs`: those that it should have, (queue, broker) by the name that is told of those that it lacks."""

    def __init__(self, path: Path, head: str, columns: tuple[str, ...], pairs: Mapping[str, tuple[str, str]]) -> None:
        self._path, self._columns, self._pairs = path, columns, pairs
        self._head = f"{head}| {' | '.join(columns)} |\n|{' --- |' * len(columns)}\n"
        self._keys = [columns.index(name) for name in KEYS if name in columns]

    def put(self, key: tuple[str, ...], row: str) -> None:
        """Write the page with this line in the place of the one before. `key`: queue, broker, and settings if they are a column.

        The page is read again each time: other pairs may be made at the same time.
        """
        lines = {**self._lines(), key: row}
        there = {(queue, broker) for queue, broker, *_ in lines}
        left = [name for name, pair in self._pairs.items() if pair not in there]
        missing = f"\nNot made yet: {', '.join(left)}.\n" if left else ""
        self._path.write_text(self._head + "".join(f"{line}\n" for _, line in sorted(lines.items())) + missing, encoding="utf-8")

    def _lines(self) -> dict[tuple[str, ...], str]:
        """What the page has, by key."""
        found = {}
        columns: Sequence[str] = ()
        for line in self._path.read_text(encoding="utf-8").splitlines() if self._path.exists() else ():
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if cells[0] == "queue":
                columns = cells
            elif len(cells) == len(columns) and cells[0] != "---":
                told = dict(zip(columns, cells, strict=True))
                now = [told.get(name, "–") for name in self._columns]
                found[tuple(now[place].split()[0] for place in self._keys)] = f"| {' | '.join(now)} |"
        return found
