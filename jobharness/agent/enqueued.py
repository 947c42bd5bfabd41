"""Which jobs were enqueued so far, by all processes of the run: read from their record files, where `jobharness_agent`
itself writes them.

A step fault inside a worker needs it, to know the seventh job, or any, in the statement that it is about.
"""

import itertools
import json
import os
import struct
import uuid

from . import events, record

__all__ = ["Enqueued"]

_COMMIT = struct.Struct("<I")


class Enqueued:
    """The jobs in the order of enqueuing, read on where it stopped at each call. `folder`: where the record files are."""

    def __init__(self, folder):
        self.folder = folder
        self._places = {}  # Path -> number of slots that were read.
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
        slot = self._places.get(path, 0)
        sent = os.path.basename(path).partition(".")[0] not in ("worker", "scheduler")
        with open(path, "rb") as file:
            file.seek(record.HEADER_BYTES + slot * record.RECORD_BYTES)
            while True:
                raw = file.read(record.RECORD_BYTES)
                if len(raw) < record.RECORD_BYTES or _COMMIT.unpack_from(raw, record.COMMIT_OFFSET)[0] != slot ^ record.COMMIT:
                    break
                slot += 1
                time_ns, key, _, kind, _, _, _, text = record.RECORD.unpack(raw)[:8]
                if kind == events.ENQUEUE_BEGIN and key not in self._found:
                    self._found[key] = (time_ns, _text(path, text) or str(uuid.UUID(bytes=key)), sent)
        self._places[path] = slot


def _text(path, number):
    """A text of the process that wrote the record file; None for none."""
    if not number:
        return None
    with open(path.rsplit(".", 2)[0] + ".texts", encoding="ascii") as texts:
        for line in texts:
            at, words = json.loads(line)
            if at == number:
                return words
    return None
