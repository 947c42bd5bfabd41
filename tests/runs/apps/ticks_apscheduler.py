"""A periodic job on APScheduler: every two seconds, run by each scheduler that has the job store."""

import os
import signal
from threading import Thread

from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.schedulers.blocking import BlockingScheduler

store = SQLAlchemyJobStore(url=os.environ.get("BROKER_URL", "sqlite:///ticks.sqlite3"))
scheduler = BlockingScheduler(jobstores={"default": store}, timezone="UTC")


def tidy_up():
    """Return at once."""


def set_up():
    """Put the job into the store, once for all schedulers."""
    once = BackgroundScheduler(jobstores={"default": store}, timezone="UTC")
    once.start(paused=True)
    once.add_job(tidy_up, "interval", seconds=2, misfire_grace_time=None, coalesce=True)
    once.shutdown()


def main():
    """Run what comes due until told to stop."""
    signal.signal(signal.SIGTERM, lambda *_: Thread(target=scheduler.shutdown, kwargs={"wait": False}).start())
    scheduler.start()
