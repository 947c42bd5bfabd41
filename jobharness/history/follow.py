"""Reads record files while they grow, so that a fault can strike on an event and progress can be shown.

The files are mapped, so looking for news costs a few comparisons per file and no copy.
"""

from __future__ import annotations

import json
import mmap
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from jobharness.agent import record
from jobharness.errors import HistoryUnreadable
from jobharness.history.event import Kind
from jobharness.history.texts import TextFiles

__all__ = ["Follower", "News"]

COARSE_NS = 50_000_000
LOOK_AHEAD = 16  # A thread may be interrupted between taking its slot and filling it; later slots are read meanwhile.
NOTHING = bytes(LOOK_AHEAD * record.RECORD_BYTES)


class News(NamedTuple):
    """One event as it arrives. `name` and `role` are the recording process's; `process` its process id."""

    time_ns: int
    kind: Kind
    key: bytes
    value: int
    attempt: int
    process: int
    task: str
    text: str
    name: str
    role: str


def runs(process: int) -> bool:
    """Whether a process of this machine still runs (or is a zombie that nobody has waited for)."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class _Tail:
    """One file: what of it was already seen."""

    def __init__(self, path: Path, unwanted: frozenset[Kind], texts: TextFiles) -> None:
        with path.open("rb") as file:
            self.buffer = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        _, _, _, self.process, _, _, about_bytes = record.HEADER.unpack_from(self.buffer)
        about = json.loads(self.buffer[record.HEADER.size : record.HEADER.size + about_bytes])
        self.name, self.role, self.slots = about["name"], about["role"], about["slots"]
        self.path, self.unwanted = path, unwanted
        self.texts = texts.of(path.name.rsplit(".", 2)[0], about)
        self.next = 0
        self.holes: list[int] = []

    def _committed(self, slot: int) -> bool:
        at = record.HEADER_BYTES + slot * record.RECORD_BYTES + record.COMMIT_OFFSET
        return self.buffer[at : at + 4] == (record.COMMIT + slot).to_bytes(4, "little")

    def _nothing_ahead(self) -> bool:
        """Whether nothing was written yet where news would be, by one comparison: so most looks end."""
        at = record.HEADER_BYTES + self.next * record.RECORD_BYTES
        ahead = self.buffer[at : at + len(NOTHING)]
        return ahead == NOTHING[: len(ahead)]

    def news(self) -> Iterator[News]:
        for slot in [hole for hole in self.holes if self._committed(hole)]:
            self.holes.remove(slot)
            yield from self._read(slot)
        while self.next < self.slots:
            if not self._committed(self.next):
                if self._nothing_ahead():
                    return
                ahead = range(self.next + 1, min(self.next + LOOK_AHEAD, self.slots))
                later = next((slot for slot in ahead if self._committed(slot)), None)
                if later is None:
                    return
                # It may have been filled meanwhile: a hole is what is empty still when a later slot is not. Taken for
                # a hole, the begin of an execution would be read after its end.
                if not self._committed(self.next):
                    self.holes.append(self.next)
                    self.next += 1
                    continue
            yield from self._read(self.next)
            self.next += 1

    def _read(self, slot: int) -> Iterator[News]:
        fields = record.RECORD.unpack_from(self.buffer, record.HEADER_BYTES + slot * record.RECORD_BYTES)
        time_ns, key, value, kind, attempt, process, task, text = fields[:8]
        if kind == record.VOID or kind in self.unwanted:
            return
        try:
            known = Kind(kind)
        except ValueError:
            raise HistoryUnreadable(str(self.path), f"holds an event of kind {kind}, which this version does not know") from None
        words = record.spelt(key, text) if text in (record.HEX, record.DECIMAL) else self.texts[text]
        yield News(time_ns, known, key, value, attempt, process, self.texts[task], words, self.name, self.role)

    @property
    def failed(self) -> bool:
        return bool(self._flags & record.FLAG_FAILED)

    @property
    def over(self) -> bool:
        """Whether nothing can follow: the recording was ended in order, and its process is gone, and had lent nothing."""
        ended = self._flags & (record.FLAG_CLOSED | record.FLAG_FAILED | record.FLAG_LENDS) == record.FLAG_CLOSED
        return ended and not runs(self.process)

    @property
    def _flags(self) -> int:
        return int.from_bytes(self.buffer[record.FLAGS_OFFSET : record.FLAGS_OFFSET + 4], "little")


class Follower:
    """Follows every record file of a folder, those that appear later included. Not for two threads at once.

    Args: `unwanted`: kinds of event that are passed over, unread.
    """

    def __init__(self, folder: Path, unwanted: Iterable[Kind] = ()) -> None:
        self.folder, self._unwanted = folder, frozenset(unwanted)
        self._texts = TextFiles(folder)
        self._tails: dict[str, _Tail] = {}
        self._over: set[str] = set()
        self._marks: set[tuple[int, str]] = set()
        self._seen_at = -1

    def poll(self) -> list[News]:
        """What was recorded since the last call, in the order of time within this call."""
        changed_ns = os.stat(self.folder).st_mtime_ns  # noqa: PTH116  # For each message of a proxy: a Path's own takes longer.
        if changed_ns != self._seen_at:
            # A folder's time of change is coarse: a file may yet appear in the same tick as this look.
            self._seen_at = changed_ns if time.time_ns() - changed_ns > COARSE_NS else -1
            for entry in os.scandir(self.folder):
                if entry.name.endswith(".rec") and entry.name not in self._tails and entry.name not in self._over:
                    self._tails[entry.name] = _Tail(Path(entry.path), self._unwanted, self._texts)
                elif entry.name.endswith(record.FAILED_SUFFIX):
                    name, pid, _ = entry.name.removesuffix(record.FAILED_SUFFIX).partition(".")[2].rsplit(".", 2)
                    self._marks.add((int(pid), name))
        # A library that forks for every job leaves a file a job: asked before the last reading, whether it is the last.
        over = [name for name, tail in self._tails.items() if tail.over]
        news = [one for tail in self._tails.values() for one in tail.news()]
        for name in over:
            del self._tails[name]
        self._over.update(over)
        news.sort(key=lambda one: one.time_ns)
        return news

    @property
    def followed(self) -> int:
        """How many files may still grow."""
        return len(self._tails)

    def failed(self) -> list[tuple[int, str]]:
        """`(process id, name)` of each process whose recorder said that it failed."""
        return sorted(self._marks | {(tail.process, tail.name) for tail in self._tails.values() if tail.failed})
