"""What `rq cron scenarios.apps.rq_cron` sends, and when (RQ 2.4 and newer)."""

from rq import cron

from scenarios.apps.rq_shop import close_till

cron.register(close_till, queue_name="default", interval=1)
