"""PgQueuer's subject. Versions before 1.0 have no retries; they are tried by their own test."""

from jobharness.conformance import Job, Subject

JOBS = {name: Job(name) for name in ("succeed", "fail", "retry", "give_up")} | {"delayed": Job("delayed", {"execute_after": 1.0})}
QUEUE = {"adapter": "pgqueuer", "app": "scenarios.apps.conformance.pgqueuer:main", "env": {"BROKER_URL": "{broker.url}"}}

SUBJECTS = [
    Subject("pgqueuer on postgres", QUEUE, {"kind": "postgres"}, JOBS, {"time_out": "PgQueuer has no time limit for a job"})
]

# Its command line does not start with a newer typer.
NEWEST = ("python3.11", ("pgqueuer[asyncpg]==1.6.0", "typer<0.20"))
