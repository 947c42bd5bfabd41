"""Locust's constant throughput on a task that does nothing: RATE SECONDS, lateness of each task in ms as JSON."""

import json
import sys
import time

import gevent
from locust import User, constant_throughput, task
from locust.env import Environment

from jobharness.agent import pace

USERS = 50
RATE, SECONDS = float(sys.argv[1]), float(sys.argv[2])
late_ms = []


class Pace(User):
    """One of `USERS` users, each with its share of the rate."""

    wait_time = constant_throughput(RATE / USERS)

    def on_start(self):
        self.began, self.done = time.perf_counter(), 0

    @task
    def nothing(self):
        late_ms.append((time.perf_counter() - self.began - self.done * USERS / RATE) * 1000)
        self.done += 1


pace.go_first()  # As our producer does: neither is to wait for what else the machine does.
environment = Environment(user_classes=[Pace])
runner = environment.create_local_runner()
runner.start(USERS, spawn_rate=USERS)
gevent.sleep(SECONDS)
runner.quit()
print(json.dumps({"sent": len(late_ms), "late_ms": sorted(late_ms)}))
