"""The conformance app on procrastinate. BROKER_URL names the PostgreSQL database."""

import asyncio
import os

from procrastinate import App, PsycopgConnector, RetryStrategy

app = App(connector=PsycopgConnector(conninfo=os.environ.get("BROKER_URL", "")))


@app.task(name="succeed")
async def succeed(number):
    """Return at once."""


@app.task(name="fail")
async def fail(number):
    """Raise; never retried."""
    raise ValueError(f"number {number} fails")


@app.task(name="retry", pass_context=True, retry=RetryStrategy(max_attempts=1, wait=0))
async def retry(context, number):
    """Raise at the first attempt, return at the second."""
    if context.job.attempts == 0:
        raise ValueError(f"number {number} fails once")


@app.task(name="give_up", retry=RetryStrategy(max_attempts=1, wait=0))
async def give_up(number):
    """Raise at every attempt; retried once."""
    raise ValueError(f"number {number} fails again and again")


@app.task(name="delayed")
async def delayed(number):
    """Return at once; sent with a delay."""


@app.task(name="linger")
async def linger(number):
    """Run for a second."""
    await asyncio.sleep(1)
