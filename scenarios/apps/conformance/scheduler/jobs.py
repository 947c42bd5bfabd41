"""The scheduler, and a function per outcome. BROKER_URL is the job store's address, as SQLAlchemy writes it."""

import os
import time

from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.blocking import BlockingScheduler

URL = os.environ.get("BROKER_URL", "sqlite:///conformance.sqlite3").replace("postgresql://", "postgresql+psycopg://")

store = SQLAlchemyJobStore(url=URL)
scheduler = BlockingScheduler(
    jobstores={"default": store, "memory": MemoryJobStore()},
    job_defaults={"misfire_grace_time": None},
    timezone="UTC",
)


def look_again():
    """Wake the scheduler: it is not told of jobs that another process has added."""


def succeed(number):
    """Return at once."""


def fail(number):
    """Raise."""
    raise ValueError(f"number {number} fails")


def delayed(number):
    """Return at once; sent with a delay."""


def linger(number):
    """Run for a second."""
    time.sleep(1)
