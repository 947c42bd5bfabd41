"""The queue of the study: the example shop's leases over SQLite, with what is planted taken from the environment.

`STUDY_PACE`: how many times longer a task takes than it should; `STUDY_LOSES`: every so many puts one is acknowledged and not kept.
Its worker is `tests/study/worker.py`.
"""

import hashlib
import os
import time
from contextlib import suppress
from pathlib import Path

from scenarios.apps.lease_shop.queue import LeaseQueue, path_of

PACE = float(os.environ.get("STUDY_PACE", "1"))
LOSES = int(os.environ.get("STUDY_LOSES", "0"))
FIRST = os.environ.get("STUDY_FIRST", "")
WAITS_S = 0.003
ROUNDS = 3000

if FIRST:
    # Before other programs of this machine. Each process of a run has a session of its own, and with it a group of the scheduler: `nice`
    # counts only within one.
    with suppress(OSError):
        Path("/proc/self/autogroup").write_text(FIRST, encoding="ascii")


class StudyQueue(LeaseQueue):
    """The leases, without waiting for the disk, and with the planted loss."""

    puts = 0

    def _connect(self):
        connection = super()._connect()
        connection.execute("PRAGMA synchronous = OFF")
        return connection

    def put(self, task, delay=0.0, **payload):
        """Add a job; one in `LOSES` is forgotten at once, as by a broker without persistence."""
        self.puts += 1
        job = super().put(task, delay, **payload)
        if LOSES and self.puts % LOSES == LOSES // 2:
            with self._connect() as connection:
                connection.execute("DELETE FROM jobs WHERE id = ?", (job,))
        return job


queue = StudyQueue(path_of(os.environ.get("SHOP_QUEUE_URL", "sqlite:///study.sqlite3")), lease_s=30)


def perform(job):
    """Half of a job waits, as for a network; half of it works."""
    time.sleep(WAITS_S * PACE)
    digest = job.task.encode()
    for _ in range(round(ROUNDS * PACE)):
        digest = hashlib.sha256(digest).digest()
