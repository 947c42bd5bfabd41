"""A small shop on Celery: it charges orders, sends receipts and resizes pictures.

Settings come from the environment, as in any deployment: CELERY_BROKER_URL, SHOP_DATABASE (a SQLite file) and SHOP_MAIL_URL.
"""

import hashlib
import json
import os
import sqlite3
import time
import urllib.error
import urllib.request
from contextlib import closing

from celery import Celery

app = Celery("shop", broker=os.environ.get("CELERY_BROKER_URL", "redis://127.0.0.1:6379/0"))
app.conf.task_ignore_result = True
app.conf.broker_connection_retry_on_startup = True

DATABASE = os.environ.get("SHOP_DATABASE", "shop.sqlite3")
MAIL_URL = os.environ.get("SHOP_MAIL_URL", "http://127.0.0.1:8025")
MAIL_PATIENCE_S = float(os.environ.get("SHOP_MAIL_PATIENCE_S", "10"))
CARD_NETWORK_S = float(os.environ.get("SHOP_CARD_NETWORK_S", "0.05"))


def prepare_to_send():
    """Import what Celery else imports at the first send: a service does so before it is up, and not while a customer waits."""
    return app.amqp.router, app.connection_for_write().transport_cls


def database():
    """A connection to the shop's database, its table made on first use."""
    connection = sqlite3.connect(DATABASE, timeout=10)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE IF NOT EXISTS charges (order_id TEXT, amount INTEGER, charged_at REAL)")
    return connection


@app.task
def charge(order_id, amount):
    """Charge an order: ask the card network, which takes a while, and write the charge down."""
    time.sleep(CARD_NETWORK_S)
    with closing(database()) as connection, connection:
        connection.execute("INSERT INTO charges VALUES (?, ?, ?)", (order_id, amount, time.time()))


def hand_over(job_id, order_id, email):
    """One call of the mail API; an HTTP error is an exception, as urllib has it."""
    request = urllib.request.Request(
        MAIL_URL + "/messages",
        data=json.dumps({"to": email, "order": order_id}).encode(),
        headers={"Content-Type": "application/json", "X-Job-Id": job_id, "Idempotency-Key": order_id},
    )
    with urllib.request.urlopen(request, timeout=MAIL_PATIENCE_S) as answer:
        answer.read()


@app.task(bind=True)
def send_receipt(self, order_id, email):
    """Hand a receipt to the mail API."""
    hand_over(self.request.id, order_id, email)


@app.task(bind=True, max_retries=50)
def send_receipt_at_once(self, order_id, email):
    """The same, by someone in a hurry: whatever goes wrong, try again a moment later."""
    try:
        hand_over(self.request.id, order_id, email)
    except OSError as error:
        raise self.retry(exc=error, countdown=0.2) from error


@app.task(bind=True, max_retries=10)
def send_receipt_politely(self, order_id, email):
    """The same, by someone who reads Retry-After."""
    try:
        hand_over(self.request.id, order_id, email)
    except urllib.error.HTTPError as error:
        wait_s = float(error.headers.get("Retry-After", 1)) if error.code == 429 else 2**self.request.retries
        raise self.retry(exc=error, countdown=wait_s) from error


@app.task
def resize_image(name, pixels):
    """Resize a picture; the work is a hash over as many bytes as it has pixels."""
    digest = hashlib.sha256(name.encode())
    for _ in range(max(1, pixels // 65536)):
        digest.update(bytes(65536))
    return digest.hexdigest()


if os.environ.get("SHOP_VERSION", "1") == "1":

    @app.task
    def count_visit(page):
        """Version 1 counts visits; version 2 has given it up."""
        time.sleep(CARD_NETWORK_S / 2)
        return len(page)

    @app.task
    def take_from_stock(name):
        """Version 1 has one warehouse."""
        time.sleep(CARD_NETWORK_S / 2)

else:

    @app.task
    def take_from_stock(name, warehouse):
        """Version 2 has several, and asks for one, which the jobs that version 1 sent do not name."""
        time.sleep(CARD_NETWORK_S / 2)
