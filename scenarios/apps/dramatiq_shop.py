"""A small shop on Dramatiq: it charges orders, and sends receipts by a mail server that is sometimes busy.

Settings come from the environment: SHOP_BROKER_URL (redis:// or amqp://) and SHOP_DATABASE (a SQLite file).
"""

import os
import random
import sqlite3
import time
from contextlib import closing

import dramatiq

BROKER_URL = os.environ.get("SHOP_BROKER_URL", "redis://127.0.0.1:6379/0")
DATABASE = os.environ.get("SHOP_DATABASE", "shop.sqlite3")
CARD_NETWORK_S = float(os.environ.get("SHOP_CARD_NETWORK_S", "0.05"))


def make_broker(url):
    """The broker that the address calls for."""
    if url.startswith("amqp"):
        from dramatiq.brokers.rabbitmq import RabbitmqBroker

        return RabbitmqBroker(url=url)
    from dramatiq.brokers.redis import RedisBroker

    return RedisBroker(url=url)


broker = make_broker(BROKER_URL)
dramatiq.set_broker(broker)


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


@dramatiq.actor(time_limit=10_000)
def charge(order_id, amount):
    """Charge an order: ask the card network, which takes a while, and write the charge down."""
    time.sleep(CARD_NETWORK_S)
    write_down(order_id, amount)


@dramatiq.actor(max_retries=3, min_backoff=100)
def send_receipt(order_id, email):
    """Hand a receipt to the mail server; one time in five it is busy."""
    if random.random() < 0.2:
        raise ConnectionError(f"the mail server is busy, no receipt for {email}")
