"""The queue: a table of jobs with leases. Settings: SHOP_QUEUE_URL (sqlite:////absolute/path) and SHOP_LEASE_S."""

import json
import os
import sqlite3
import time
import uuid
from contextlib import closing
from dataclasses import dataclass

SCHEMA = """
    CREATE TABLE IF NOT EXISTS jobs (
        id INTEGER PRIMARY KEY AUTOINCREMENT, task TEXT NOT NULL, payload TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'ready',
        attempts INTEGER NOT NULL DEFAULT 0, run_at REAL NOT NULL, leased_until REAL, owner TEXT, error TEXT
    )
"""


@dataclass(frozen=True)
class Job:
    """A job that this worker holds. `attempt` counts from 1; `owner` proves that the lease is still this worker's."""

    id: int
    task: str
    payload: dict
    attempt: int
    owner: str


class LeaseQueue:
    """Jobs in a SQLite file. A reserved job is this worker's for `lease_s`, unless it renews; after that anybody may take it."""

    def __init__(self, path, lease_s=2.0):
        self.path, self.lease_s = path, lease_s
        with closing(self._connect()) as connection:
            connection.execute(SCHEMA)

    def _connect(self):
        return sqlite3.connect(self.path, timeout=20, isolation_level=None)

    def put(self, task, delay=0.0, **payload):
        """Add a job, to be run after `delay` seconds. Returns its id."""
        with closing(self._connect()) as connection:
            row = (task, json.dumps(payload), time.time() + delay)
            return connection.execute("INSERT INTO jobs (task, payload, run_at) VALUES (?, ?, ?)", row).lastrowid

    def reserve(self):
        """Take the oldest job that is due and that nobody holds; None where there is none."""
        now, owner = time.time(), uuid.uuid4().hex
        take = """
            UPDATE jobs SET owner = ?, leased_until = ?, attempts = attempts + 1
            WHERE id = (SELECT id FROM jobs WHERE state = 'ready' AND run_at <= ? AND (leased_until IS NULL OR leased_until < ?)
                        ORDER BY run_at, id LIMIT 1)
            RETURNING id, task, payload, attempts
        """
        with closing(self._connect()) as connection:
            row = connection.execute(take, (owner, now + self.lease_s, now, now)).fetchone()
        return Job(row[0], row[1], json.loads(row[2]), row[3], owner) if row else None

    def renew(self, job):
        """Hold the job for another lease. False where the lease was lost."""
        return self._change(job, "leased_until = ?", time.time() + self.lease_s)

    def settle(self, job):
        """The job took effect: forget it. False where the lease was lost."""
        with closing(self._connect()) as connection:
            return connection.execute("DELETE FROM jobs WHERE id = ? AND owner = ?", (job.id, job.owner)).rowcount == 1

    def retry(self, job, delay, error):
        """Put the job back, to be run after `delay` seconds. False where the lease was lost."""
        return self._change(job, "leased_until = NULL, owner = NULL, run_at = ?, error = ?", time.time() + delay, error)

    def bury(self, job, error):
        """Give the job up, and keep it for people to look at. False where the lease was lost."""
        return self._change(job, "leased_until = NULL, state = 'dead', error = ?", error)

    def _change(self, job, assignments, *values):
        with closing(self._connect()) as connection:
            change = f"UPDATE jobs SET {assignments} WHERE id = ? AND owner = ?"
            return connection.execute(change, (*values, job.id, job.owner)).rowcount == 1


def path_of(url):
    """The file that a sqlite:// URL names."""
    return url.removeprefix("sqlite://").replace("//", "/", 1)


queue = LeaseQueue(
    path_of(os.environ.get("SHOP_QUEUE_URL", "sqlite:///shop-queue.sqlite3")), float(os.environ.get("SHOP_LEASE_S", "2"))
)
