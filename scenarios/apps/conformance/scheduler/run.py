"""The scheduler's process: `python -m scenarios.apps.conformance.scheduler.run`."""

import signal

from scenarios.apps.conformance.scheduler.jobs import look_again, scheduler


def main():
    """Run jobs until told to stop."""
    scheduler.add_job(look_again, "interval", seconds=0.2, jobstore="memory", id="look-again")
    signal.signal(signal.SIGTERM, lambda *_: scheduler.shutdown(wait=False))
    scheduler.start()


if __name__ == "__main__":
    main()
