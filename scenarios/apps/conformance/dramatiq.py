"""The conformance app on Dramatiq. BROKER_URL names the broker; `broker` is what `dramatiq` is given.

GROUPS_URL names the Redis in which it counts what is left of a group; without it there are no chords.
"""

import os
import time
from pathlib import Path

import dramatiq

URL = os.environ.get("BROKER_URL", "redis://127.0.0.1:6379/0")
if URL.startswith("redis"):
    from dramatiq.brokers.redis import RedisBroker

    broker = RedisBroker(url=URL)
else:
    from dramatiq.brokers.rabbitmq import RabbitmqBroker

    broker = RabbitmqBroker(url=URL)
if "GROUPS_URL" in os.environ:
    from dramatiq.middleware import GroupCallbacks
    from dramatiq.rate_limits.backends import RedisBackend

    broker.add_middleware(GroupCallbacks(RedisBackend(url=os.environ["GROUPS_URL"])))
dramatiq.set_broker(broker)


@dramatiq.actor
def succeed(number):
    """Return at once."""


@dramatiq.actor(max_retries=0)
def fail(number):
    """Raise; never retried."""
    raise ValueError(f"number {number} fails")


@dramatiq.actor(max_retries=1, min_backoff=300)
def retry(number):
    """Raise at the first attempt, return at the second."""
    first = Path(os.environ["ATTEMPTS_FOLDER"], str(number))
    if not first.exists():
        first.touch()
        raise ValueError(f"number {number} fails once")


@dramatiq.actor(max_retries=1, min_backoff=300)
def give_up(number):
    """Raise at every attempt; retried once."""
    raise ValueError(f"number {number} fails again and again")


@dramatiq.actor(max_retries=0, time_limit=1000)
def time_out(number):
    """Run for longer than the time limit."""
    for _ in range(300):
        time.sleep(0.1)


@dramatiq.actor
def delayed(number):
    """Return at once; sent with a delay."""
