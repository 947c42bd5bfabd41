"""Records as fast as it can until it is killed, and says through another channel what it has written.

    python writer.py KIND FOLDER PROOF THREADS SLOTS

PROOF is a file of one 8-byte counter per thread, in a shared mapping of its own: a thread counts a record there right after the
recorder's call has returned. KIND is "shipped", the recorder as it is, or one with a defect that the test must see:

- "buffered": collects records in memory and writes them in blocks, as an ordinary file object does;
- "commit-first": says that a record is whole before it is.

Runs on every Python that the agent runs on; the agent's folder is on its path.
"""

import mmap
import os
import struct
import sys
import threading
from pathlib import Path

from jobharness_agent import record
from jobharness_agent.recorder import Recorder

TEXTS = 97


class Buffered:
    """The defect: a record is in this process's memory for a while, and dies with it."""

    def __init__(self, recorder):
        self.recorder, self.waiting = recorder, []

    def record(self, *fields):
        self.waiting.append(fields)
        if len(self.waiting) == 16:
            for one in self.waiting:
                self.recorder.record(*one)
            self.waiting = []


class CommitFirst:
    """The defect: the last field is written first, and what it vouches for afterwards."""

    def __init__(self, recorder):
        self.recorder = recorder

    def record(self, kind, key, value, attempt, task, text, group):
        while True:
            try:
                commit, at, buffer = self.recorder._segment.take()
                break
            except StopIteration:
                self.recorder._go_on()
        struct.pack_into("<I", buffer, at + record.COMMIT_OFFSET, commit)
        struct.pack_into("<Q16sq", buffer, at, 1, key, value)
        struct.pack_into("<HHIIII", buffer, at + 32, kind, attempt, os.getpid(), task, text, group)


KINDS = {"shipped": lambda recorder: recorder, "buffered": Buffered, "commit-first": CommitFirst}


def write(recorder, sink, proof, thread):
    number = 0
    while True:
        number += 1
        words = recorder.text(f"text {number % TEXTS}")
        key = struct.pack(">QQ", thread + 1, number)
        sink.record(11, key, number, number & 0xFFFF, words, words, words)
        proof[thread] = number  # Stored at once. `struct.pack_into` clears its place first, and a kill may come in between.


def main(kind, folder, proof_path, threads, slots):
    recorder = Recorder(folder, "worker", "writer", slots=int(slots))
    with Path(proof_path).open("r+b") as file:
        proof = memoryview(mmap.mmap(file.fileno(), 8 * int(threads))).cast("Q")
    sink = KINDS[kind](recorder)
    for thread in range(1, int(threads)):
        threading.Thread(target=write, args=(recorder, sink, proof, thread), daemon=True).start()
    write(recorder, sink, proof, 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
