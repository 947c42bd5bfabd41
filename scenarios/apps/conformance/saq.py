"""The conformance app on SAQ. BROKER_URL names the broker; `settings` is what `saq` is given."""

import asyncio
import os

from saq import Queue

URL = os.environ.get("BROKER_URL", "redis://127.0.0.1:6379/0")
queue = Queue.from_url(URL)


async def succeed(ctx, *, number):
    """Return at once."""


async def fail(ctx, *, number):
    """Raise; never retried."""
    raise ValueError(f"number {number} fails")


async def retry(ctx, *, number):
    """Raise at the first attempt, return at the second; sent with retries."""
    if ctx["job"].attempts == 1:
        raise ValueError(f"number {number} fails once")


async def give_up(ctx, *, number):
    """Raise at every attempt; sent with retries."""
    raise ValueError(f"number {number} fails again and again")


async def time_out(ctx, *, number):
    """Run for longer than the time limit it is sent with."""
    for _ in range(300):
        await asyncio.sleep(0.1)


async def delayed(ctx, *, number):
    """Return at once; sent with a delay."""


async def start_unswept(ctx):
    """Hold the lock of the sweep: for a minute on Redis, for as long as this process lives on PostgreSQL.

    A sweep takes a job whose state is about to change for one whose worker died; it is then aborted, or run twice. On Redis that
    is one that a worker has popped a moment ago (saq/queue/redis.py: its status is still queued). On PostgreSQL, before it asked
    for `stuck`, it is one that ends at that moment (saq/queue/postgres.py of 0.18: its status was read before its lock). A worker
    sweeps at its start and every minute. Here that would come and go. With SAQ_SWEEPS, where workers are to die, sweeps are
    left alone.
    """
    if os.environ.get("SAQ_SWEEPS"):
        return
    if hasattr(queue, "redis"):
        await queue.redis.set(f"saq:{queue.name}:sweep", 1, ex=60)
    else:
        from psycopg import AsyncConnection

        ctx["sweep_lock"] = await AsyncConnection.connect(URL, autocommit=True)
        lock = "SELECT pg_try_advisory_lock(%s, hashtext(%s))"
        await ctx["sweep_lock"].execute(lock, (queue.saq_lock_keyspace, queue.name))


settings = {"startup": start_unswept, "queue": queue, "functions": [succeed, fail, retry, give_up, time_out, delayed]}
