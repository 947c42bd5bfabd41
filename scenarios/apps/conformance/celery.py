"""The conformance app on Celery. BROKER_URL names the broker; `app` is what `celery -A` is given."""

import os
import time

from celery import Celery

app = Celery("conformance", broker=os.environ.get("BROKER_URL", "redis://127.0.0.1:6379/0"))
app.conf.task_ignore_result = True
app.conf.broker_connection_retry_on_startup = True


@app.task
def succeed(number):
    """Return at once."""


@app.task
def fail(number):
    """Raise; never retried."""
    raise ValueError(f"number {number} fails")


@app.task(bind=True, max_retries=1)
def retry(self, number):
    """Raise at the first attempt, return at the second."""
    if self.request.retries == 0:
        raise self.retry(exc=ValueError(f"number {number} fails once"), countdown=0.3)


@app.task(autoretry_for=(ValueError,), max_retries=1, default_retry_delay=0.3)
def give_up(number):
    """Raise at every attempt; retried once."""
    raise ValueError(f"number {number} fails again and again")


@app.task(soft_time_limit=1)
def time_out(number):
    """Run for longer than the time limit."""
    for _ in range(300):
        time.sleep(0.1)


@app.task
def delayed(number):
    """Return at once; sent with a delay."""
