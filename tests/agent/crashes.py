"""Kills a writer at a random instant, and says what is wrong with what it left."""

import mmap
import os
import struct
import subprocess
import sys
from pathlib import Path

from jobharness.errors import HistoryUnreadable
from jobharness.history import log
from jobharness.runner.surroundings import AGENT_PATH

__all__ = ["crash", "damage"]

END_WITHIN_S = 60
TEXTS = 97  # As in the writer.


def crash(folder, kind, threads, slots, instant, python=sys.executable):
    """Kill a writer once its first thread has written `instant` records; returns what each thread proves to have written."""
    folder.mkdir()
    proof_path = folder / "proof"
    proof_path.write_bytes(bytes(8 * threads))
    with proof_path.open("r+b") as file, mmap.mmap(file.fileno(), 8 * threads) as proof:
        command = [
            str(python),
            str(Path(__file__).with_name("writer.py")),
            kind,
            str(folder),
            str(proof_path),
            str(threads),
            str(slots),
        ]
        writer = subprocess.Popen(command, env={"PYTHONPATH": str(AGENT_PATH), "PATH": os.environ["PATH"]})
        try:
            # No sleep between looks: the kill comes at whatever instruction the writer has got to.
            while struct.unpack_from("Q", proof)[0] < instant:
                assert writer.poll() is None, "the writer ended by itself"
        finally:
            writer.kill()
            writer.wait(END_WITHIN_S)
        return struct.unpack_from(f"{threads}Q", proof)


def damage(folder, proven):
    """What is wrong with the records of a killed writer: lost, torn or invented ones. Empty where nothing is."""
    seen = {thread: set() for thread in range(len(proven))}
    found = []
    for path in folder.glob("*.rec"):
        try:
            file = log.read_record_file(path)
        except HistoryUnreadable as error:
            found.append(str(error))
            continue
        for row in file.records:
            thread, number = int(row["key_hi"]) - 1, int(row["key_lo"])
            texts = {file.texts[int(row[name])] for name in ("task", "text", "group")}
            whole = (row["kind"], row["value"], row["attempt"]) == (11, number, number & 0xFFFF) and texts == {
                f"text {number % TEXTS}"
            }
            if thread not in seen or not whole or number in seen[thread]:
                found.append(f"torn or twice: {row}")
            else:
                seen[thread].add(number)
    for thread, count in enumerate(proven):
        lost = set(range(1, count + 1)) - seen[thread]
        # The record whose writing had ended but was not proven yet when the kill came may be there too.
        invented = seen[thread] - set(range(1, count + 2))
        found += [f"lost: {sorted(lost)[:5]} of thread {thread}"] if lost else []
        found += [f"invented: {sorted(invented)[:5]} of thread {thread}"] if invented else []
    return found
