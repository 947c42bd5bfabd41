"""A periodic job on APScheduler: every EVERY_S seconds, run by each scheduler that has the job store; and one that somebody adds."""

import os
import signal
from threading import Thread

from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.schedulers.blocking import BlockingScheduler

EVERY_S = int(os.environ.get("EVERY_S", "2"))  # 0: never.

store = SQLAlchemyJobStore(url=os.environ.get("BROKER_URL", "sqlite:///ticks.sqlite3"))
scheduler = BlockingScheduler(
    jobstores={"default": store, "memory": MemoryJobStore()}, job_defaults={"misfire_grace_time": None}, timezone="UTC"
)


def look_again():
    """Wake the scheduler: it is not told of jobs that another process has added."""


def work(number):
    """Return at once."""


def tidy_up():
    """Return at once."""


def set_up():
    """Put the job into the store, once for all schedulers."""
    once = BackgroundScheduler(jobstores={"default": store}, timezone="UTC")
    once.start(paused=True)  # It makes the table.
    if EVERY_S:
        once.add_job(tidy_up, "interval", seconds=EVERY_S, misfire_grace_time=None, coalesce=True)
    once.shutdown()


def main():
    """Run what comes due until told to stop."""
    scheduler.add_job(look_again, "interval", seconds=0.2, jobstore="memory", id="look-again")
    signal.signal(signal.SIGTERM, lambda *_: Thread(target=scheduler.shutdown, kwargs={"wait": False}).start())
    scheduler.start()
