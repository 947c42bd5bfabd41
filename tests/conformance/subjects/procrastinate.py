"""procrastinate's subject. The worker looks for jobs every half second: nothing tells it of one that has come due."""

from jobharness.conformance import Job, Subject

JOBS = {name: Job(name) for name in ("succeed", "fail", "retry", "give_up")} | {
    "delayed": Job("delayed", {"schedule_in": {"seconds": 1}})
}
LINGER = Job("linger")
QUEUE = {
    "adapter": "procrastinate",
    "app": "scenarios.apps.conformance.procrastinate.app",
    "concurrency": 4,
    "settings": {"fetch_job_polling_interval": 0.5},
    "env": {"BROKER_URL": "{broker.url}", "PYTHONPATH": "."},
}

SUBJECTS = [
    Subject(
        "procrastinate on postgres",
        QUEUE,
        {"kind": "postgres"},
        JOBS,
        {"time_out": "procrastinate has no time limit for a job"},
    )
]

NEWEST = ("python3.11", ("procrastinate==3.10.0", "psycopg[binary]"))
OLDEST = ("python3.11", ("procrastinate==3.2.1", "psycopg[binary]"))
