"""The shop's jobs. Charges are rows of a table of their own, in SHOP_DATABASE (a SQLite file)."""

import os
import sqlite3
import time
from contextlib import closing

DATABASE = os.environ.get("SHOP_DATABASE", "shop.sqlite3")
CARD_NETWORK_S = float(os.environ.get("SHOP_CARD_NETWORK_S", "0.05"))


def charge(order_id, amount):
    """Charge an order: ask the card network, which takes a while, and write the charge down."""
    time.sleep(CARD_NETWORK_S)
    with closing(sqlite3.connect(DATABASE, timeout=20)) as connection, connection:
        connection.execute("CREATE TABLE IF NOT EXISTS charges (order_id TEXT, amount INTEGER, charged_at REAL)")
        connection.execute("INSERT INTO charges VALUES (?, ?, ?)", (order_id, amount, time.time()))


def charged_twice():
    """The orders that were charged more than once: what must never be found."""
    with closing(sqlite3.connect(DATABASE, timeout=20)) as connection:
        return connection.execute("SELECT order_id FROM charges GROUP BY order_id HAVING count(*) > 1").fetchall()


def fetch_rates(currency):
    """Fetch exchange rates; the API answers only for the euro."""
    if currency != "EUR":
        raise ConnectionError(f"the rates of {currency} cannot be had")


def print_catalogue(pages, page_s=0.1):
    """A long job: longer than one lease."""
    time.sleep(pages * page_s)


TASKS = {"charge": charge, "fetch_rates": fetch_rates, "print_catalogue": print_catalogue}


def perform(job):
    """Run one job."""
    TASKS[job.task](**job.payload)
