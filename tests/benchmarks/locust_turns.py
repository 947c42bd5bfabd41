"""Eight Locust users that enqueue as fast as they can, in turns: `python locust_turns.py plain|job SCENARIO`.

For each line on standard input, a number of seconds, they enqueue that long; the answer is how many enqueues ended meanwhile and the
time that took. Plain users call the task themselves and tell Locust how long it took, as anybody would write it.
"""

import sys
import time

import gevent
import gevent.fileobject
from gevent.event import Event
from locust import User, constant, task
from locust.env import Environment

KIND, SCENARIO = sys.argv[1:]
USERS = 8
turn = Event()


if KIND == "job":
    from jobharness.staging import JobUser

    class Enqueuer(JobUser):
        scenario = SCENARIO
        wait_time = constant(0)

        @task
        def enqueue_one(self):
            turn.wait()
            self.enqueue("naps.nothing")
else:
    from naps import nothing

    class Enqueuer(User):
        wait_time = constant(0)

        @task
        def enqueue_one(self):
            turn.wait()
            began, error = time.monotonic(), None
            try:
                nothing.delay()
            except Exception as raised:
                error = raised
            took_ms = (time.monotonic() - began) * 1e3
            self.environment.events.request.fire(
                request_type="JOB", name="nothing enqueue", response_time=took_ms, response_length=0, exception=error, context={}
            )


environment = Environment(user_classes=[Enqueuer])
runner = environment.create_local_runner()
runner.start(USERS, spawn_rate=USERS)
while runner.user_count < USERS:
    gevent.sleep(0.01)
lines = gevent.fileobject.FileObjectThread(sys.stdin.buffer, "rb")
print("ready", flush=True)
for line in iter(lines.readline, b""):
    before, began = environment.stats.total.num_requests, time.monotonic()
    turn.set()
    gevent.sleep(float(line))
    turn.clear()
    print(
        environment.stats.total.num_requests - before, time.monotonic() - began, environment.stats.total.num_failures, flush=True
    )
runner.quit()
