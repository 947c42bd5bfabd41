"""The queue, and a task per outcome."""

import os
import time

from scenarios.apps.lease_shop.queue import LeaseQueue, path_of


class OutcomeQueue(LeaseQueue):
    """A job of it is a number."""

    tasks = dict.fromkeys(("succeed", "fail", "retry", "give_up", "delayed", "linger"))

    def put(self, task, number, delay=0.0):
        """Add a job, to be run after `delay` seconds. Returns its id."""
        return super().put(task, delay, number=number)


queue = OutcomeQueue(path_of(os.environ.get("BROKER_URL", "sqlite:///conformance.sqlite3")), lease_s=20.0)


def perform(job):
    """Fail, or take a second, as the job's task says."""
    if job.task == "linger":
        time.sleep(1)
    if job.task in ("fail", "give_up") or (job.task == "retry" and job.attempt == 1):
        raise ValueError(f"number {job.payload['number']} fails")
