"""A periodic job on arq: every two seconds, sent by whichever worker comes first; with EACH by each of them."""

import os

from arq.connections import RedisSettings
from arq.cron import cron


async def tidy_up(ctx):
    """Return at once."""


class WorkerSettings:
    """What `arq` is given."""

    cron_jobs = [cron(tidy_up, second=set(range(0, 60, 2)), unique="EACH" not in os.environ)]
    redis_settings = RedisSettings.from_dsn(os.environ.get("BROKER_URL", "redis://127.0.0.1:6379/0"))
    poll_delay = 0.1
