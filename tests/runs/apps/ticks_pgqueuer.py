"""A schedule on PgQueuer: every EVERY_S seconds, run by whichever worker is first; and an entrypoint for what somebody sends."""

import os
from contextlib import asynccontextmanager

import asyncpg
from pgqueuer import AsyncpgPoolDriver, PgQueuer

EVERY_S = int(os.environ.get("EVERY_S", "4"))  # 0: never.


@asynccontextmanager
async def main():
    """The worker's manager."""
    async with asyncpg.create_pool(os.environ["BROKER_URL"], min_size=2) as pool:
        manager = PgQueuer(AsyncpgPoolDriver(pool))

        @manager.entrypoint("work")
        async def work(job):
            """Return at once."""

        async def tidy_up(schedule):
            """Return at once."""

        if EVERY_S:
            manager.schedule("tidy_up", f"* * * * * */{EVERY_S}")(tidy_up)

        yield manager
