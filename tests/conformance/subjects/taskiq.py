"""taskiq's subjects: one per broker."""

from jobharness.conformance import Job, Subject

APP = "scenarios.apps.conformance.taskiq"
JOBS = {name: Job(f"{APP}:{name}") for name in ("succeed", "fail", "retry", "give_up", "time_out")}
DELAYED = {"delayed": Job(f"{APP}:delayed", {"delay": 1.0})}
UNDELAYED = {"delayed": "only taskiq's scheduler delays a job on this broker"}
QUEUE = {"adapter": "taskiq", "app": f"{APP}:broker", "env": {"BROKER_URL": "{broker.url}"}}

SUBJECTS = [
    Subject("taskiq on redis", QUEUE, {"kind": "redis"}, JOBS, UNDELAYED),
    Subject("taskiq on rabbitmq", QUEUE, {"kind": "rabbitmq"}, JOBS | DELAYED),
    Subject("taskiq on nats", QUEUE, {"kind": "nats"}, JOBS, UNDELAYED),
]

# The newest that the kit passes. taskiq 0.13 asks for redis-py 8, with which an idle worker never ends on SIGTERM; nor does
# one on RabbitMQ with taskiq-aio-pika 0.6.
NEWEST = ("python3.11", ("taskiq==0.12.6", "taskiq-redis==1.2.2", "taskiq-aio-pika==0.5.0", "taskiq-nats==0.6.0"))
OLDEST = ("python3.11", ("taskiq>=0.11.0,<0.12", "taskiq-redis==1.0.2", "taskiq-aio-pika==0.4.4", "taskiq-nats==0.5.0"))
