"""A small shop on PgQueuer: it charges orders, fetches rates from an API that is sometimes down, and sends reminders.

Settings come from the environment: DATABASE_URL (PostgreSQL, for jobs and charges alike).
"""

import asyncio
import json
import os
from contextlib import asynccontextmanager

import asyncpg
import pgqueuer
from pgqueuer import AsyncpgPoolDriver, PgQueuer

DATABASE_URL = os.environ.get("DATABASE_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
CARD_NETWORK_S = float(os.environ.get("SHOP_CARD_NETWORK_S", "0.05"))

# Retries in the database came with 1.0; before it a job that raises is given up.
RETRYING = getattr(pgqueuer, "DatabaseRetryEntrypointExecutor", None)


@asynccontextmanager
async def main():
    """The worker's manager: `pgq run scenarios.apps.pgqueuer_shop:main`."""
    async with asyncpg.create_pool(DATABASE_URL, min_size=2) as pool:
        # Of two workers that make the table at once, one would fail in spite of "if not exists".
        await pool.execute(
            "SELECT pg_advisory_xact_lock(1);"
            "CREATE TABLE IF NOT EXISTS charges (order_id text, amount int, charged_at timestamptz)"
        )
        manager = PgQueuer(AsyncpgPoolDriver(pool))
        register(manager, pool)
        yield manager


def register(manager, pool):
    """The shop's jobs."""

    @manager.entrypoint("charge")
    async def charge(job):
        order = json.loads(job.payload)
        await asyncio.sleep(CARD_NETWORK_S)
        await pool.execute("INSERT INTO charges VALUES ($1, $2, now())", order["order_id"], order["amount"])

    @manager.entrypoint("fetch_rates", **retries(max_attempts=2))
    async def fetch_rates(job):
        wanted = json.loads(job.payload)
        if getattr(job, "attempts", 0) < wanted.get("failures", 1):
            raise ConnectionError(f"the rates of {wanted['currency']} cannot be had")

    @manager.entrypoint("refuse_card")
    async def refuse_card(job):
        raise ValueError(f"card declined for {json.loads(job.payload)['order_id']}")

    @manager.entrypoint("remind")
    async def remind(job):
        return None


def retries(max_attempts):
    """How an entrypoint says that it is to be retried."""
    if RETRYING is None:
        return {}
    return {"executor_factory": lambda parameters: RETRYING(parameters, max_attempts=max_attempts)}
