"""The conformance app on PgQueuer 1.0 and newer. BROKER_URL names the PostgreSQL database; `main` is what `pgq run` is given."""

import os
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg
from pgqueuer import AsyncpgPoolDriver, DatabaseRetryEntrypointExecutor, PgQueuer


def retried_once(parameters):
    """How an entrypoint says that it is to be retried once."""
    return DatabaseRetryEntrypointExecutor(parameters, max_attempts=1, initial_delay=timedelta(seconds=0.3))


@asynccontextmanager
async def main():
    """The worker's manager, with an entrypoint per outcome."""
    async with asyncpg.create_pool(os.environ["BROKER_URL"], min_size=2) as pool:
        manager = PgQueuer(AsyncpgPoolDriver(pool))

        @manager.entrypoint("succeed")
        async def succeed(job):
            """Return at once."""

        @manager.entrypoint("fail")
        async def fail(job):
            """Raise; never retried."""
            raise ValueError(f"number {job.payload} fails")

        @manager.entrypoint("retry", executor_factory=retried_once)
        async def retry(job):
            """Raise at the first attempt, return at the second."""
            if job.attempts == 0:
                raise ValueError(f"number {job.payload} fails once")

        @manager.entrypoint("give_up", executor_factory=retried_once)
        async def give_up(job):
            """Raise at every attempt; retried once."""
            raise ValueError(f"number {job.payload} fails again and again")

        @manager.entrypoint("delayed")
        async def delayed(job):
            """Return at once; sent with a delay."""

        yield manager
