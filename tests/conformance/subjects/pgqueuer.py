"""PgQueuer's subject. A worker looks for jobs every second: before 1.0 nothing tells it of one that has come due."""

from jobharness.conformance import Job, Subject

JOBS = {name: Job(name) for name in ("succeed", "fail", "retry", "give_up")} | {"delayed": Job("delayed", {"execute_after": 1.0})}
LINGER = Job("linger")
QUEUE = {
    "adapter": "pgqueuer",
    "app": "scenarios.apps.conformance.pgqueuer:main",
    "settings": {"dequeue_timeout": 1.0},
    "env": {"BROKER_URL": "{broker.url}"},
}

SUBJECTS = [
    Subject("pgqueuer on postgres", QUEUE, {"kind": "postgres"}, JOBS, {"time_out": "PgQueuer has no time limit for a job"})
]

# Its command line does not start with a newer typer.
NEWEST = ("python3.11", ("pgqueuer[asyncpg]==1.6.0", "typer<0.20"))
OLDEST = ("python3.11", ("pgqueuer[asyncpg,cli]==0.19.0",))
