"""A small shop on taskiq: it charges orders, fetches rates from an API that is sometimes down, and sends receipts.

Settings come from the environment: TASKIQ_BROKER_URL (redis://, amqp:// or nats://) SHOP_DATABASE (a SQLite
file) and SHOP_ACK_WAIT_S (how long JetStream waits for an acknowledgement).
"""

import asyncio
import os
import sqlite3
import time
from contextlib import closing
from typing import Annotated

from taskiq import SimpleRetryMiddleware, TaskiqDepends, TaskiqScheduler
from taskiq.context import Context
from taskiq.schedule_sources import LabelScheduleSource

BROKER_URL = os.environ.get("TASKIQ_BROKER_URL", "redis://127.0.0.1:6379/0")
DATABASE = os.environ.get("SHOP_DATABASE", "shop.sqlite3")
CARD_NETWORK_S = float(os.environ.get("SHOP_CARD_NETWORK_S", "0.05"))
ACK_WAIT_S = float(os.environ.get("SHOP_ACK_WAIT_S", "30"))  # JetStream's default.


def make_broker(url):
    """The broker that the address calls for."""
    if url.startswith("amqp"):
        from taskiq_aio_pika import AioPikaBroker

        return AioPikaBroker(url)
    if url.startswith("nats"):
        from nats.js.api import ConsumerConfig
        from taskiq_nats import PullBasedJetStreamBroker

        consumer = ConsumerConfig(durable_name="taskiq_durable", ack_wait=ACK_WAIT_S)
        # Without a timeout of its own an idle worker does not notice SIGTERM.
        return PullBasedJetStreamBroker(url, pull_consume_timeout=1.0, consumer_config=consumer)
    import taskiq_redis

    # Streams, which acknowledge, came with taskiq-redis 1.0.3; before it there is the list, which does not.
    return getattr(taskiq_redis, "RedisStreamBroker", taskiq_redis.ListQueueBroker)(url)


broker = make_broker(BROKER_URL).with_middlewares(SimpleRetryMiddleware(default_retry_count=3))
scheduler = TaskiqScheduler(broker, sources=[LabelScheduleSource(broker)])


def database():
    """A connection to the shop's database, its table made on first use."""
    connection = sqlite3.connect(DATABASE, timeout=10)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE IF NOT EXISTS charges (order_id TEXT, amount INTEGER, charged_at REAL)")
    return connection


@broker.task
async def charge(order_id: str, amount: int) -> None:
    """Charge an order: ask the card network, which takes a while, and write the charge down."""
    await asyncio.sleep(CARD_NETWORK_S)
    with closing(database()) as connection, connection:
        connection.execute("INSERT INTO charges VALUES (?, ?, ?)", (order_id, amount, time.time()))


@broker.task(retry_on_error=True, max_retries=3)
async def fetch_rates(currency: str, failures: int = 1, context: Annotated[Context, TaskiqDepends()] = None) -> str:
    """Fetch exchange rates; the API is down for the first `failures` attempts."""
    if int(context.message.labels.get("_retries", 0)) < failures:
        raise ConnectionError(f"the rates of {currency} cannot be had")
    return currency


@broker.task
async def refuse_card(order_id: str) -> None:
    """A charge that the card network declines for good."""
    raise ValueError(f"card declined for {order_id}")


@broker.task(timeout=0.5)
async def wait_for_courier(order_id: str, waits_s: float = 30) -> None:
    """Wait for the courier's answer, half a second at most."""
    await asyncio.sleep(waits_s)


@broker.task(schedule=[{"interval": 1}])
async def close_till() -> None:
    """Count the money, once a second while `taskiq scheduler` runs."""
