"""A task per outcome."""

import os
import time
from pathlib import Path


def succeed(number):
    """Return at once."""


def fail(number):
    """Raise; sent with `ack_failure`, it is never retried."""
    raise ValueError(f"number {number} fails")


def retry(number):
    """Raise at the first attempt, return at the second."""
    mark = Path(os.environ["ATTEMPTS_FOLDER"], str(number))
    if not mark.exists():
        mark.touch()
        raise ValueError(f"number {number} fails once")


def give_up(number):
    """Raise at every attempt; retried once."""
    raise ValueError(f"number {number} fails again and again")


def time_out(number):
    """Run for longer than the time limit it is sent with."""
    for _ in range(300):
        time.sleep(0.1)


def linger(number):
    """Run for a second."""
    time.sleep(1)
