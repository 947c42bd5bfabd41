"""SAQ's subjects: one per broker. Its `retries` are attempts: 2 is one retry."""

from jobharness.conformance import Job, Subject

JOBS = {
    "succeed": Job("succeed"),
    "fail": Job("fail"),
    "retry": Job("retry", {"retries": 2}),
    "give_up": Job("give_up", {"retries": 2}),
    "time_out": Job("time_out", {"timeout": 1}),
    "delayed": Job("delayed", {"delay": 1.0}),
}
QUEUE = {"adapter": "saq", "app": "scenarios.apps.conformance.saq.settings", "env": {"BROKER_URL": "{broker.url}"}}

SUBJECTS = [Subject(f"saq on {broker}", QUEUE, {"kind": broker}, JOBS) for broker in ("redis", "postgres")]
NEWEST = ("python3.11", ["saq[redis,postgres]==0.26.4"])
OLDEST = {
    "redis": ("python3.11", ["saq[hiredis]==0.12.0"]),
    # Before 0.18 two workers that start together on an empty database clash, and one exits.
    "postgres": ("python3.11", ["saq[redis,postgres]==0.18.4"]),
}
