"""A worker: `python -m scenarios.apps.lease_shop.worker`. It takes one job at a time and stops in order on SIGTERM."""

import signal
import threading
import time
import traceback

from scenarios.apps.lease_shop import tasks
from scenarios.apps.lease_shop.queue import queue

POLL_S = 0.05
MAX_ATTEMPTS = 3


class Renewal:
    """Renews the lease of a job while it runs, from a thread."""

    def __init__(self, job):
        self._job, self._done = job, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()

    def __exit__(self, *_):
        self._done.set()
        self._thread.join()

    def _run(self):
        while not self._done.wait(queue.lease_s / 3):
            if not queue.renew(self._job):
                return


def work(job):
    """Run a job, and tell the queue how it went."""
    try:
        with Renewal(job):
            tasks.perform(job)
    except Exception as error:
        traceback.print_exc()
        if job.attempt < MAX_ATTEMPTS:
            queue.retry(job, delay=0.5 * 2 ** (job.attempt - 1), error=str(error))
        else:
            queue.bury(job, str(error))
    else:
        queue.settle(job)


def main():
    """Work until told to stop."""
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    signal.signal(signal.SIGINT, lambda *_: stopping.set())
    while not stopping.is_set():
        job = queue.reserve()
        if job is not None:
            work(job)
        else:
            time.sleep(POLL_S)


if __name__ == "__main__":
    main()
