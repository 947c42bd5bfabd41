"""The shop's jobs: it charges orders, fetches rates from an API that is sometimes down, and waits for couriers."""

import os
import time

from django.db import connection

CARD_NETWORK_S = float(os.environ.get("SHOP_CARD_NETWORK_S", "0.05"))


def charge(order_id, amount):
    """Charge an order: ask the card network, which takes a while, and write the charge down."""
    time.sleep(CARD_NETWORK_S)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS charges (order_id varchar(64), amount integer, charged_at float)")
        cursor.execute("INSERT INTO charges VALUES (%s, %s, %s)", [order_id, amount, time.time()])


def fetch_rates(currency):
    """Fetch exchange rates; the API answers only for the euro."""
    if currency != "EUR":
        raise ConnectionError(f"the rates of {currency} cannot be had")
    return currency


def wait_for_courier(order_id, waits_s=30):
    """Wait for the courier's answer; the cluster's time limit ends it."""
    time.sleep(waits_s)
