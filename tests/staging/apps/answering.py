"""An app whose tasks answer: into the result backend, which is the broker's Redis."""

import os
import time

from celery import Celery

URL = os.environ["CELERY_BROKER_URL"]
app = Celery("answering", broker=URL, backend=URL)
app.conf.broker_connection_retry_on_startup = True


@app.task
def add(one, other):
    """Take a moment, and answer."""
    time.sleep(0.01)
    return one + other


@app.task
def refuse():
    """Fail."""
    raise ValueError("no")


@app.task(ignore_result=True)
def whisper():
    """Tell nobody."""
