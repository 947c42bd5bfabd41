"""A periodic job on SAQ: every four seconds, under one key; with EACH under a key of its own from each worker."""

import os

from saq import CronJob, Queue

queue = Queue.from_url(os.environ.get("BROKER_URL", "redis://127.0.0.1:6379/0"))


async def tidy_up(ctx):
    """Return at once."""


settings = {
    "queue": queue,
    "functions": [],
    "cron_jobs": [CronJob(tidy_up, cron="* * * * * */4", unique="EACH" not in os.environ)],
}
