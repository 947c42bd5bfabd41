"""The conformance app on SAQ. BROKER_URL names the broker; `settings` is what `saq` is given."""

import asyncio
import os

from saq import Queue

queue = Queue.from_url(os.environ.get("BROKER_URL", "redis://127.0.0.1:6379/0"))


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


async def start_swept(ctx):
    """Hold the lock of the sweep for a minute.

    At its start a worker sweeps the active jobs, and takes one that it, or another, has popped a moment ago for one whose worker
    died (saq/queue/redis.py, sweep: its status is still queued). It is then aborted, or run twice. Here that would come and go.
    With SAQ_SWEEPS, as a crash map needs it, sweeps are left alone.
    """
    if hasattr(queue, "redis") and not os.environ.get("SAQ_SWEEPS"):
        await queue.redis.set(f"saq:{queue.name}:sweep", 1, ex=60)


settings = {"startup": start_swept, "queue": queue, "functions": [succeed, fail, retry, give_up, time_out, delayed]}
