"""A small shop on arq: it charges orders, and sends receipts by a mail server that is sometimes busy.

Settings come from the environment: SHOP_BROKER_URL (redis://) and SHOP_DATABASE (a SQLite file).
"""

import asyncio
import os
import random
import sqlite3
import time
from contextlib import closing

from arq import Retry
from arq.connections import RedisSettings

DATABASE = os.environ.get("SHOP_DATABASE", "shop.sqlite3")
CARD_NETWORK_S = float(os.environ.get("SHOP_CARD_NETWORK_S", "0.05"))


def database():
    """A connection to the shop's database, its table made on first use."""
    connection = sqlite3.connect(DATABASE, timeout=10)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE IF NOT EXISTS charges (order_id TEXT, amount INTEGER, charged_at REAL)")
    return connection


def write_down(order_id, amount):
    """Write a charge down."""
    with closing(database()) as connection, connection:
        connection.execute("INSERT INTO charges VALUES (?, ?, ?)", (order_id, amount, time.time()))


async def charge(ctx, order_id, amount):
    """Charge an order: ask the card network, which takes a while, and write the charge down."""
    await asyncio.sleep(CARD_NETWORK_S)
    write_down(order_id, amount)


async def send_receipt(ctx, order_id, email):
    """Hand a receipt to the mail server; one time in five it is busy. arq retries only what asks for it."""
    if random.random() < 0.2:
        raise Retry(defer=ctx["job_try"])


class WorkerSettings:
    """What the worker is made of."""

    functions = [charge, send_receipt]
    redis_settings = RedisSettings.from_dsn(os.environ.get("SHOP_BROKER_URL", "redis://127.0.0.1:6379/0"))
    job_timeout = 10
