"""A worker: `python -m scenarios.apps.conformance.home_grown.worker`."""

import signal
import threading
import time

from scenarios.apps.conformance.home_grown import jobs

queue = jobs.queue


def work(job):
    """Run a job, and tell the queue how it went."""
    try:
        jobs.perform(job)
    except ValueError as error:
        if job.task != "fail" and job.attempt == 1:
            queue.retry(job, delay=0.3, error=str(error))
        else:
            queue.bury(job, str(error))
    else:
        queue.settle(job)


def main():
    """Work until told to stop."""
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    while not stopping.is_set():
        job = queue.reserve()
        if job is not None:
            work(job)
        else:
            time.sleep(0.02)


if __name__ == "__main__":
    main()
