"""A periodic job on Huey: whenever a consumer looks, which is at its start and every minute from then on."""

import os

from huey import RedisHuey, crontab

huey = RedisHuey("ticks", url=os.environ.get("BROKER_URL", "redis://127.0.0.1:6379/0"))


@huey.periodic_task(crontab())
def tidy_up():
    """Return at once."""
