"""The scheduler's process: `python -m scenarios.apps.conformance.scheduler.run`."""

import signal
from threading import Thread

from scenarios.apps.conformance.scheduler.jobs import look_again, scheduler


def main():
    """Run jobs until told to stop."""
    scheduler.add_job(look_again, "interval", seconds=0.2, jobstore="memory", id="look-again")
    # In a thread of its own: the handler may have interrupted the main loop while it held the lock that a shutdown needs.
    signal.signal(signal.SIGTERM, lambda *_: Thread(target=scheduler.shutdown, kwargs={"wait": False}).start())
    scheduler.start()


if __name__ == "__main__":
    main()
