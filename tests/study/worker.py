"""A worker of the study: `python -m tests.study.worker`."""

import signal
import threading
import time

from tests.study import shop

POLL_S = 0.005


def main():
    """Work until told to stop."""
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    while not stopping.is_set():
        job = shop.queue.reserve()
        if job is None:
            time.sleep(POLL_S)
        else:
            shop.perform(job)
            shop.queue.settle(job)


if __name__ == "__main__":
    main()
