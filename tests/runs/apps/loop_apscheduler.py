"""Jobs of APScheduler that are coroutines, beside plain ones: its scheduler lives in an event loop."""

import asyncio
import os
import signal

from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.schedulers.background import BackgroundScheduler

EVERY_S = 2

store = SQLAlchemyJobStore(url=os.environ.get("BROKER_URL", "sqlite:///loop.sqlite3"))
scheduler = AsyncIOScheduler(
    jobstores={"default": store, "memory": MemoryJobStore()}, job_defaults={"misfire_grace_time": None}, timezone="UTC"
)


async def look_again():
    """Let the scheduler wake: it is not told of jobs that another process has added."""


async def work(number):
    """Give the loop to others for a moment."""
    await asyncio.sleep(0.01)
    return number


def plain(number):
    """Return at once, from a thread."""
    return number


async def fail(number):
    """Raise, in the loop."""
    await asyncio.sleep(0)
    raise ValueError(f"number {number} fails")


async def tidy_up():
    """Return at once."""


def set_up():
    """Put the periodic job into the store, once for all schedulers."""
    once = BackgroundScheduler(jobstores={"default": store}, timezone="UTC")
    once.start(paused=True)  # It makes the table.
    once.add_job(tidy_up, "interval", seconds=EVERY_S, misfire_grace_time=None, coalesce=True)
    once.shutdown()


async def main():
    """Run what comes due until told to stop."""
    scheduler.add_job(look_again, "interval", seconds=0.2, jobstore="memory", id="look-again")
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    scheduler.start()
    await stopped.wait()
    scheduler.shutdown(wait=False)
