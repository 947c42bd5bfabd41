"""A small shop on RQ: it charges orders, and sends receipts by a mail server that is sometimes busy.

Settings come from the environment: RQ_REDIS_URL, which `rq worker` reads too, and SHOP_DATABASE (a SQLite file).
"""

import os
import random
import sqlite3
import time
from contextlib import closing

from redis import Redis
from rq import Queue, Retry
from rq.decorators import job

queue = Queue("default", connection=Redis.from_url(os.environ.get("RQ_REDIS_URL", "redis://127.0.0.1:6379/0")))
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


@job(queue, connection=queue.connection, timeout=10)
def charge(order_id, amount):
    """Charge an order: ask the card network, which takes a while, and write the charge down."""
    time.sleep(CARD_NETWORK_S)
    write_down(order_id, amount)


@job(queue, connection=queue.connection, timeout=10, retry=Retry(max=3))
def send_receipt(order_id, email):
    """Hand a receipt to the mail server; one time in five it is busy."""
    if random.random() < 0.2:
        raise ConnectionError(f"the mail server is busy, no receipt for {email}")


def close_till():
    """Count the money; `scenarios.apps.rq_cron` says when."""
