"""The conformance app on arq. BROKER_URL names the broker; `WorkerSettings` is what `arq` is given."""

import asyncio
import os

from arq.connections import RedisSettings
from arq.worker import Retry, func


async def succeed(ctx, number):
    """Return at once."""


async def fail(ctx, number):
    """Raise; never retried."""
    raise ValueError(f"number {number} fails")


async def retry(ctx, number):
    """Raise at the first attempt, return at the second."""
    if ctx["job_try"] == 1:
        raise Retry(defer=0.3)


async def give_up(ctx, number):
    """Raise at every attempt; retried once."""
    if ctx["job_try"] == 1:
        raise Retry(defer=0.3)
    raise ValueError(f"number {number} fails again and again")


async def time_out(ctx, number):
    """Run for longer than the time limit."""
    for _ in range(300):
        await asyncio.sleep(0.1)


async def delayed(ctx, number):
    """Return at once; sent with a delay."""


class WorkerSettings:
    """What the worker is made of."""

    functions = [succeed, fail, retry, give_up, func(time_out, timeout=1), delayed]
    redis_settings = RedisSettings.from_dsn(os.environ.get("BROKER_URL", "redis://127.0.0.1:6379/0"))
    poll_delay = 0.1
