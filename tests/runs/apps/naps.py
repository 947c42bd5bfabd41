"""An app of the tests: jobs that take a nap. NAPS_DEFECT asks for something to go wrong in it."""

import os
import resource
import time

from celery import Celery, signals

app = Celery("naps", broker=os.environ.get("CELERY_BROKER_URL", "redis://127.0.0.1:6379/0"))
app.conf.task_ignore_result = True
app.conf.broker_connection_retry_on_startup = True

DEFECT = os.environ.get("NAPS_DEFECT", "")


@app.task
def nap(seconds):
    """Sleep."""
    time.sleep(seconds)


@app.task
def nothing():
    """Do nothing."""


@app.task(bind=True, max_retries=1)
def come_again(self):
    """Ask for a retry, and linger once that was sent: another worker has done it before this attempt has ended."""
    if self.request.retries == 0:
        try:
            self.retry(countdown=0)
        finally:
            time.sleep(1)


@signals.worker_process_init.connect
def fill_the_disk(**_):
    """As if the disk were full for what a pool child writes from here on."""
    if DEFECT == "disk full":
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))
