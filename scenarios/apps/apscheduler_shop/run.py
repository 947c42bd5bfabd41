"""The scheduler's process."""

import signal

from scenarios.apps.apscheduler_shop.jobs import look_again, scheduler


def main():
    """Run jobs until told to stop."""
    scheduler.add_job(look_again, "interval", seconds=0.2, jobstore="memory", id="look-again")
    signal.signal(signal.SIGTERM, lambda *_: scheduler.shutdown(wait=False))
    scheduler.start()


if __name__ == "__main__":
    main()
