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

NEWEST = ("python3.11", ("taskiq==0.13.0", "taskiq-redis==1.2.4", "taskiq-aio-pika==0.6.1", "taskiq-nats==0.7.0"))
OLDEST = ("python3.11", ("taskiq>=0.11.0,<0.12", "taskiq-redis==1.0.2", "taskiq-aio-pika==0.4.4", "taskiq-nats==0.5.0"))
