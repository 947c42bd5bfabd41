"""A schedule on PgQueuer: every four seconds, run by whichever worker is first."""

import os
from contextlib import asynccontextmanager

import asyncpg
from pgqueuer import AsyncpgPoolDriver, PgQueuer


@asynccontextmanager
async def main():
    """The worker's manager."""
    async with asyncpg.create_pool(os.environ["BROKER_URL"], min_size=2) as pool:
        manager = PgQueuer(AsyncpgPoolDriver(pool))

        @manager.schedule("tidy_up", "* * * * * */4")
        async def tidy_up(schedule):
            """Return at once."""

        yield manager
