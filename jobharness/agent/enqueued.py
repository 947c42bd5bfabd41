"""Which jobs were enqueued so far, by all processes of the run: read from their record files, where `jobharness_agent`
itself writes them.

A step fault inside a worker needs it, to know the seventh job, or any, in the statement that it is about.
"""

import itertools
import json
import os
import struct

from . import events, record

__all__ = ["Enqueued"]

_COMMIT = struct.Struct("<I")
LOOK_AHEAD = 16  # A thread, or a fork that was lent slots, may not have filled its own yet; later ones are read meanwhile.


class Enqueued:
    """The jobs in the order of enqueuing, read on where it stopped at each call. `folder`: where the record files are."""

    def __init__(self, folder):
        self.folder = folder
        self._places = {}  # Path -> number of slots that were looked at, and those of them that were still empty.
        self._found = {}  # Key -> (time, id, whether the workload sent it).

    def jobs(self):
        """`[(number, key, id)]`, the first enqueued first. Numbers are from 1, of those that the workload sent; of others, 0."""
        for name in os.listdir(self.folder):
            if name.endswith(".rec"):
                self._read(os.path.join(self.folder, name))
        numbers = itertools.count(1)
        ordered = sorted(self._found.items(), key=lambda item: item[1][0])
        return [(next(numbers) if sent else 0, key, job_id) for key, (_, job_id, sent) in ordered]

    def _read(self, path):
        looked, holes = self._places.get(path, (0, []))
        with open(path, "rb") as file:
            empty = [slot for slot in holes if not self._take(path, file, slot)]
            ahead = []  # Empty slots that no written one has followed yet.
            slot = looked
            while len(ahead) < LOOK_AHEAD:
                written = self._take(path, file, slot)
                if written is None:
                    break
                slot += 1
                if written:
                    empty += ahead
                    looked, ahead = slot, []
                else:
                    ahead.append(slot - 1)
        self._places[path] = looked, empty

    def _take(self, path, file, slot):
        """Whether the slot was written; what it says of an enqueue is noted. None: the file ends before it."""
        file.seek(record.HEADER_BYTES + slot * record.RECORD_BYTES)
        raw = file.read(record.RECORD_BYTES)
        if len(raw) < record.RECORD_BYTES:
            return None
        if _COMMIT.unpack_from(raw, record.COMMIT_OFFSET)[0] != record.COMMIT + slot:
            return False
        time_ns, key, _, kind, _, _, _, text = record.RECORD.unpack(raw)[:8]
        if kind == events.ENQUEUE_BEGIN and key not in self._found:
            sent = os.path.basename(path).partition(".")[0] not in ("worker", "scheduler")
            self._found[key] = (time_ns, _text(path, text) or record.spelt(key, text), sent)
        return True


def _text(path, number):
    """A text of the process that wrote the record file; None where the key tells it."""
    if number in (0, record.HEX, record.DECIMAL):
        return None
    words = _line(path.rsplit(".", 2)[0], number)
    if words is None:
        with open(path, "rb") as file:
            header = file.read(record.HEADER_BYTES)
        size = record.HEADER.unpack_from(header)[-1]
        about = json.loads(header[record.HEADER.size : record.HEADER.size + size].decode("ascii"))
        words = _line(os.path.join(os.path.dirname(path), about["lender"]), number)
    return words


def _line(stem, number):
    if os.path.exists(stem + ".texts"):
        with open(stem + ".texts", encoding="ascii") as texts:
            for line in texts:
                at, words = json.loads(line)
                if at == number:
                    return words
    return None
