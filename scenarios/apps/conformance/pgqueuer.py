"""The conformance app on PgQueuer. BROKER_URL names the PostgreSQL database; `main` is what `pgq run` is given."""

import asyncio
import os
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg
import pgqueuer
from pgqueuer import AsyncpgPoolDriver, PgQueuer


def retried_once(parameters):
    """How an entrypoint says that it is to be retried once."""
    return pgqueuer.DatabaseRetryEntrypointExecutor(parameters, max_attempts=1, initial_delay=timedelta(seconds=0.3))


RETRIED = {"executor_factory": retried_once} if hasattr(pgqueuer, "DatabaseRetryEntrypointExecutor") else {}


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

        @manager.entrypoint("retry", **RETRIED)
        async def retry(job):
            """Raise at the first attempt, return at the second."""
            if getattr(job, "attempts", 0) == 0:
                raise ValueError(f"number {job.payload} fails once")

        @manager.entrypoint("give_up", **RETRIED)
        async def give_up(job):
            """Raise at every attempt; retried once."""
            raise ValueError(f"number {job.payload} fails again and again")

        @manager.entrypoint("delayed")
        async def delayed(job):
            """Return at once; sent with a delay."""

        @manager.entrypoint("linger")
        async def linger(job):
            """Run for a second."""
            await asyncio.sleep(1)

        yield manager
