"""The conformance app on Huey. BROKER_URL names the broker; `huey` is what `huey_consumer` is given."""

import os
import time
from pathlib import Path

from huey import RedisHuey, SqliteHuey, __version__

URL = os.environ.get("BROKER_URL", "redis://127.0.0.1:6379/0")
huey = (
    RedisHuey("conformance", url=URL) if URL.startswith("redis") else SqliteHuey("conformance", filename=URL[len("sqlite:///") :])
)
LIMIT = {"timeout": 1} if int(__version__.split(".")[0]) >= 3 else {}  # Huey 2 has no time limit.


@huey.task()
def succeed(number):
    """Return at once."""


@huey.task()
def fail(number):
    """Raise; never retried."""
    raise ValueError(f"number {number} fails")


@huey.task(retries=1)
def retry(number):
    """Raise at the first attempt, return at the second."""
    first = Path(os.environ["ATTEMPTS_FOLDER"], str(number))
    if not first.exists():
        first.touch()
        raise ValueError(f"number {number} fails once")


@huey.task(retries=1)
def give_up(number):
    """Raise at every attempt; retried once."""
    raise ValueError(f"number {number} fails again and again")


@huey.task(**LIMIT)
def time_out(number):
    """Run for longer than the time limit."""
    for _ in range(300):
        time.sleep(0.1)


@huey.task()
def delayed(number):
    """Return at once; sent with a delay."""
