"""A shop on Celery that books orders in PostgreSQL, and charges cards by its payment provider's API.

Each job is there twice: as it is written at first, and as it is right when it may be run again. Settings: CELERY_BROKER_URL,
DATABASE_URL, PAYMENTS_URL.
"""

import json
import os
import urllib.request
import uuid

import psycopg
from celery import Celery

app = Celery("shop", broker=os.environ.get("CELERY_BROKER_URL", "amqp://127.0.0.1"))
app.conf.task_ignore_result = True
app.conf.task_acks_late = True
app.conf.task_reject_on_worker_lost = True
app.conf.broker_connection_retry_on_startup = True

DATABASE_URL = os.environ.get("DATABASE_URL", "postgresql://127.0.0.1/shop")
PAYMENTS_URL = os.environ.get("PAYMENTS_URL", "http://127.0.0.1:8025")
AGAIN = {"autoretry_for": (psycopg.OperationalError, OSError), "default_retry_delay": 0.2, "max_retries": 5}
TABLES = (
    "CREATE TABLE IF NOT EXISTS bookings (order_id text, amount integer)",
    "CREATE TABLE IF NOT EXISTS booked_once (order_id text PRIMARY KEY, amount integer)",
    "CREATE TABLE IF NOT EXISTS charges (order_id text PRIMARY KEY, key text)",
)


def make_tables():
    """Run before the first worker, as a migration is."""
    with psycopg.connect(DATABASE_URL) as connection:
        for table in TABLES:
            connection.execute(table)


@app.task(**AGAIN)
def book(order_id, amount):
    """Book an order: run again, it is booked again."""
    with psycopg.connect(DATABASE_URL) as connection:
        connection.execute("INSERT INTO bookings VALUES (%s, %s)", (order_id, amount))


@app.task(**AGAIN)
def book_once(order_id, amount):
    """Book an order: its number is unique, so that it is booked once."""
    with psycopg.connect(DATABASE_URL) as connection:
        connection.execute("INSERT INTO booked_once VALUES (%s, %s) ON CONFLICT DO NOTHING", (order_id, amount))


def pay(order_id, amount, key=None):
    """One call of the payment provider, who takes a second call with the same key for the first."""
    headers = {"Content-Type": "application/json", **({"Idempotency-Key": key} if key else {})}
    body = json.dumps({"order": order_id, "amount": amount}).encode()
    with urllib.request.urlopen(urllib.request.Request(PAYMENTS_URL + "/charges", body, headers), timeout=10) as answer:
        answer.read()


@app.task(**AGAIN)
def charge(order_id, amount):
    """Charge a card, unless it was: which is noted when it has been."""
    with psycopg.connect(DATABASE_URL) as connection:
        noted = connection.execute("SELECT key FROM charges WHERE order_id = %s", (order_id,)).fetchone()
    if noted is None:
        pay(order_id, amount)
        with psycopg.connect(DATABASE_URL) as connection:
            connection.execute("INSERT INTO charges VALUES (%s, 'paid') ON CONFLICT DO NOTHING", (order_id,))


@app.task(**AGAIN)
def charge_once(order_id, amount):
    """Charge a card: the key of the charge is noted before it is sent, so that another run sends the same."""
    with psycopg.connect(DATABASE_URL) as connection:
        connection.execute("INSERT INTO charges VALUES (%s, %s) ON CONFLICT DO NOTHING", (order_id, str(uuid.uuid4())))
        (key,) = connection.execute("SELECT key FROM charges WHERE order_id = %s", (order_id,)).fetchone()
    pay(order_id, amount, key)
