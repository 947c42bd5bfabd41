"""The scheduler, and the shop's jobs."""

import os
import sqlite3
import time
from contextlib import closing

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.blocking import BlockingScheduler

DATABASE = os.environ.get("SHOP_DATABASE", "shop.sqlite3")
CARD_NETWORK_S = float(os.environ.get("SHOP_CARD_NETWORK_S", "0.05"))

scheduler = BlockingScheduler(
    jobstores={
        "default": SQLAlchemyJobStore(url=os.environ.get("SHOP_JOBS_URL", "sqlite:///jobs.sqlite3")),
        "memory": MemoryJobStore(),
    },
    executors={"default": ThreadPoolExecutor(4)},
    job_defaults={"misfire_grace_time": 60},
    timezone="UTC",
)


def look_again():
    """Wake the scheduler: it is not told of jobs that another process has added."""


def charge(order_id, amount):
    """Charge an order: ask the card network, which takes a while, and write the charge down."""
    time.sleep(CARD_NETWORK_S)
    with closing(sqlite3.connect(DATABASE, timeout=20)) as connection, connection:
        connection.execute("CREATE TABLE IF NOT EXISTS charges (order_id TEXT, amount INTEGER, charged_at REAL)")
        connection.execute("INSERT INTO charges VALUES (?, ?, ?)", (order_id, amount, time.time()))


def refuse_card(order_id):
    """A charge that the card network declines for good."""
    raise ValueError(f"card declined for {order_id}")
