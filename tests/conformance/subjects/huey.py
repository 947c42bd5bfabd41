"""Huey's subjects: one per broker, with workers that are processes, since time limits do not work in its threads."""

from jobharness.conformance import Job, Subject

APP = "scenarios.apps.conformance.huey"
JOBS = {
    "succeed": Job(f"{APP}.succeed"),
    "fail": Job(f"{APP}.fail"),
    "retry": Job(f"{APP}.retry"),
    "give_up": Job(f"{APP}.give_up"),
    "time_out": Job(f"{APP}.time_out"),
    "delayed": Job(f"{APP}.delayed", {"delay": 1.0}),
}
QUEUE = {
    "adapter": "huey",
    "app": f"{APP}.huey",
    "pool": "process",
    "concurrency": 2,
    "env": {"BROKER_URL": "{broker.url}"},
}

SUBJECTS = [Subject(f"huey on {broker}", QUEUE, {"kind": broker}, JOBS) for broker in ("redis", "sqlite")]
NEWEST = ("python3.11", ["huey==3.5.4", "redis"])
OLDEST = ("python3.11", ["huey==2.5.0", "redis"])
