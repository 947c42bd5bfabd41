"""The conformance app on RQ. RQ_REDIS_URL, which `rq worker` reads too, names the broker; `queue` is where the jobs go."""

import os
import time
from pathlib import Path

from redis import Redis
from rq import Queue

queue = Queue("default", connection=Redis.from_url(os.environ.get("RQ_REDIS_URL", "redis://127.0.0.1:6379/0")))


def succeed(number):
    """Return at once."""


def fail(number):
    """Raise; never retried."""
    raise ValueError(f"number {number} fails")


def retry(number):
    """Raise at the first attempt, return at the second; sent with a Retry."""
    first = Path(os.environ["ATTEMPTS_FOLDER"], str(number))
    if not first.exists():
        first.touch()
        raise ValueError(f"number {number} fails once")


def give_up(number):
    """Raise at every attempt; sent with a Retry of one."""
    raise ValueError(f"number {number} fails again and again")


def time_out(number):
    """Run for longer than the time limit it is sent with."""
    for _ in range(300):
        time.sleep(0.1)


def delayed(number):
    """Return at once; sent with a delay."""
