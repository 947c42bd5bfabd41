"""A small shop on procrastinate: it charges orders, fetches rates from an API that is sometimes down, and sends reminders.

Settings come from the environment: DATABASE_URL (PostgreSQL, for jobs and charges alike).
"""

import asyncio
import os

import psycopg
from procrastinate import App, PsycopgConnector, RetryStrategy

DATABASE_URL = os.environ.get("DATABASE_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
CARD_NETWORK_S = float(os.environ.get("SHOP_CARD_NETWORK_S", "0.05"))

app = App(connector=PsycopgConnector(conninfo=DATABASE_URL))


@app.task(name="charge")
async def charge(order_id, amount):
    """Charge an order: ask the card network, which takes a while, and write the charge down."""
    await asyncio.sleep(CARD_NETWORK_S)
    async with await psycopg.AsyncConnection.connect(DATABASE_URL) as connection:
        # Of two that make the table at once, one would fail in spite of "if not exists".
        await connection.execute("SELECT pg_advisory_xact_lock(1)")
        await connection.execute("CREATE TABLE IF NOT EXISTS charges (order_id text, amount int, charged_at timestamptz)")
        await connection.execute("INSERT INTO charges VALUES (%s, %s, now())", (order_id, amount))


@app.task(name="fetch_rates", pass_context=True, retry=RetryStrategy(max_attempts=3, wait=1))
async def fetch_rates(context, currency, failures=1):
    """Fetch exchange rates; the API is down for the first `failures` attempts."""
    if context.job.attempts < failures:
        raise ConnectionError(f"the rates of {currency} cannot be had")
    return currency


@app.task(name="refuse_card")
def refuse_card(order_id):
    """A charge that the card network declines for good."""
    raise ValueError(f"card declined for {order_id}")


@app.task(name="remind")
def remind(order_id):
    """Remind a customer of an order, later."""
    return order_id


if os.environ.get("SHOP_RETRY_STALLED"):

    @app.periodic(cron="* * * * * */2")  # The sixth field is seconds: every other one.
    @app.task(name="retry_stalled", queueing_lock="retry_stalled")
    async def retry_stalled(timestamp):
        """Retry the jobs whose worker has sent no heartbeat for a while, as procrastinate's documentation has it."""
        for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=3):
            await app.job_manager.retry_job(job)
