"""APScheduler's subjects: one scheduler, since two on one job store run the same job twice."""

from jobharness.conformance import Job, Subject

APP = "scenarios.apps.conformance.scheduler"
JOBS = {
    "succeed": Job(f"{APP}.jobs:succeed"),
    "fail": Job(f"{APP}.jobs:fail"),
    "delayed": Job(f"{APP}.jobs:delayed", {"delay": 1.0}),
}
LINGER = Job(f"{APP}.jobs:linger")
QUEUE = {
    "adapter": "apscheduler",
    "app": f"{APP}.jobs:scheduler",
    "command": ["python", "-m", f"{APP}.run"],
    "setup": [["python", "-m", f"{APP}.tables"]],
    "workers": 1,
    "env": {"BROKER_URL": "{broker.url}"},
}
MISSING = {
    "retry": "APScheduler 3 does not retry a job",
    "give_up": "APScheduler 3 does not retry a job",
    "time_out": "APScheduler 3 has no time limit for a job",
}

SUBJECTS = [Subject(f"apscheduler on {broker}", QUEUE, {"kind": broker}, JOBS, MISSING) for broker in ("sqlite", "postgres")]

NEWEST = ("python3.11", ("apscheduler==3.11.3", "sqlalchemy>=2", "psycopg[binary]"))
OLDEST = ("python3.11", ("apscheduler==3.10.0", "sqlalchemy>=2,<2.1", "psycopg[binary]", "setuptools<81"))
