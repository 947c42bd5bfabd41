"""Dramatiq's subjects: one per broker."""

from jobharness.conformance import Job, Subject

JOBS = {
    "succeed": Job("succeed"),
    "fail": Job("fail"),
    "retry": Job("retry"),
    "give_up": Job("give_up"),
    "time_out": Job("time_out"),
    "delayed": Job("delayed", {"delay": 1000}),
}
QUEUE = {
    "adapter": "dramatiq",
    "app": "scenarios.apps.conformance.dramatiq:broker",
    "concurrency": 4,
    # The second for Dramatiq 1, whose middleware Prometheus serves metrics to the world otherwise.
    "env": {"BROKER_URL": "{broker.url}", "dramatiq_prom_host": "127.0.0.1"},
}

SUBJECTS = [Subject(f"dramatiq on {broker}", QUEUE, {"kind": broker}, JOBS) for broker in ("redis", "rabbitmq")]
NEWEST = ("python3.11", ["dramatiq[redis,rabbitmq]==2.2.1"])
OLDEST = ("python3.11", ["dramatiq[redis,rabbitmq]==1.17.0"])
