"""The copies of the record files that another node ships, piece by piece, in the order in which it wrote them."""

from __future__ import annotations

import contextlib
import json
import re
from io import FileIO
from pathlib import Path

from jobharness.agent import record
from jobharness.staging.nodes import NODE_FILE

__all__ = ["MOST_BYTES", "Copy"]

MOST_BYTES = 4 << 20
MOST_FILE = 64 << 20

_FILE = re.compile(r"[A-Za-z0-9][^/\\\0]{0,250}\.(rec|texts|failed)")


class Copy:
    """Those of one node, in its folder. Raises: ValueError for a name or a place that no file of ours has."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._finished = folder / "finished.names"
        self._open: dict[str, FileIO] = {}

    @property
    def done(self) -> list[str]:
        """The names of the files that are whole here."""
        return self._finished.read_text(encoding="utf-8").splitlines() if self._finished.exists() else []

    def put(self, name: str, at: int, payload: bytes) -> None:
        """Write a piece of a file, which is made with its first."""
        if not _FILE.fullmatch(name) or name == NODE_FILE or not 0 <= at <= MOST_FILE or len(payload) > MOST_BYTES:
            raise ValueError(f"no piece of a record file: {name!r}")
        file = self._open.get(name)
        if file is None:
            path = self._folder / name
            if name.endswith(".rec") and not path.exists():
                _begin(path, at, payload)
            # Unbuffered: whoever reads meanwhile, or after this process was killed, finds no record without the text it names.
            file = self._open[name] = path.open("r+b" if path.exists() else "w+b", buffering=0)
        file.seek(at)
        if file.write(payload) != len(payload):
            raise OSError(f"no room for {name}")

    def finish(self, name: str) -> None:
        """Nothing more will come for a file."""
        if not _FILE.fullmatch(name):
            raise ValueError(f"no record file: {name!r}")
        if (file := self._open.pop(name, None)) is not None:
            file.close()
        with self._finished.open("a", encoding="utf-8") as names:
            names.write(name + "\n")

    def close(self) -> None:
        """Close what is open."""
        for file in self._open.values():
            with contextlib.suppress(OSError):
                file.close()


def _begin(path: Path, at: int, header: bytes) -> None:
    """Make a record file as long as it is with all its slots, which are holes here until they come: whoever maps it sees it
    filled. It has its name when its header is whole. Raises: ValueError for what is no header."""
    if at or len(header) < record.HEADER_BYTES or header[:8] != record.MAGIC:
        raise ValueError("a record file begins with its header")
    about = json.loads(header[record.HEADER.size : record.HEADER.size + record.HEADER.unpack_from(header)[-1]])
    size = record.HEADER_BYTES + int(about["slots"]) * record.RECORD_BYTES
    if size > MOST_FILE:
        raise ValueError(f"a record file of {size} bytes is none of ours")
    hidden = path.with_suffix(".new")
    with hidden.open("wb") as file:
        file.write(header)
        file.truncate(size)
    hidden.rename(path)
